"""Layouts through the command line: what is written, and what ``predict`` makes of it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from helpers.drawn_pages import Drawn, blank, small_page, write
from helpers.written_rules import check_alto, check_page_xml
from PIL import Image

from htr_lightning.cli import segment
from htr_lightning.layout.formats import read_layout
from htr_lightning.layout.page import Page
from htr_lightning.model.info import FINDER_KEY, list_finders

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run_segment(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run the command with the segmenter that has no weights, unless the arguments name another finder."""

    def run(*arguments: object, finder: object = "classical") -> tuple[int, str]:
        code: Any = 0
        try:
            segment.main([*map(str, arguments), "--finder", str(finder)])
        except SystemExit as error:
            code = error.code
        err = capsys.readouterr().err
        return (1, err + code) if isinstance(code, str) else (int(code or 0), err)

    return run


Segment = Callable[..., tuple[int, str]]


def double_page(left: int = 6, right: int = 5) -> Drawn:
    drawn = blank(1700, 1000)
    write(drawn, 100, 760, 150, left, seed=1)
    write(drawn, 940, 1600, 150, right, seed=2)
    return drawn


def save(drawn: Drawn, path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(drawn.pixels).save(path)
    return path


def assert_same_lines(one: Page, other: Page) -> None:
    assert [line.id for line in one.lines] == [line.id for line in other.lines]
    for a, b in zip(one.lines, other.lines, strict=True):
        np.testing.assert_array_equal(a.baseline, b.baseline)
        np.testing.assert_array_equal(a.polygon, b.polygon)


def test_layouts_are_written_and_predict_reads_them(
    scans: Path, tmp_path: Path, run_segment: Segment, read_scans: Run
) -> None:
    out = tmp_path / "layouts"
    code, err = run_segment(scans, "--out", out, "--format", "alto,page", "--overlay")
    assert code == 0 and "8 lines found on 2 pages" in err
    names = sorted(path.name for path in out.glob("[!.]*"))
    assert names == sorted(f"p{n}{suffix}" for n in range(2) for suffix in (".xml", ".page.xml", ".overlay.jpg"))
    alto, page = (out / f"p0{suffix}" for suffix in (".xml", ".page.xml"))
    assert not list(check_page_xml(page.read_bytes()).iter("{*}TextEquiv"))
    strings = list(check_alto(alto.read_bytes()).iter("{*}String"))
    assert [string.get("CONTENT") for string in strings] == 4 * [""]
    assert_same_lines(read_layout(alto), read_layout(page))

    read_scans(scans, "--out", tmp_path / "direct", "--format", "txt")
    code, _, err = read_scans(scans, "--out", tmp_path / "read", "--format", "alto,txt", "--layouts", out)
    assert code == 0 and f"2 pages: lines are taken from {out}" in err
    for name in ("p0", "p1"):
        texts = [(tmp_path / folder / f"{name}.txt").read_text() for folder in ("direct", "read")]
        assert texts[0].strip() and texts[0] == texts[1]
        assert_same_lines(read_layout(tmp_path / "read" / f"{name}.xml"), read_layout(out / f"{name}.xml"))
    code, text, _ = read_scans(scans / "p0.png", "--format", "txt", "--layouts", out)
    assert text == (tmp_path / "read" / "p0.txt").read_text()


def test_vertical_lines_are_found_from_the_right_and_read_turned(
    scans: Path, tmp_path: Path, run_segment: Segment, read_scans: Run
) -> None:
    upright = np.asarray(Image.open(scans / "p0.png").convert("L"))
    turned = save(Drawn(np.ascontiguousarray(np.rot90(upright, -1))), tmp_path / "turned" / "p0.png")
    out = tmp_path / "layouts"
    code, err = run_segment(turned, "--out", out, "--format", "alto,page", "--direction", "ttb")
    assert code == 0 and "4 lines found on 1 page" in err
    alto, page = (out / f"p0{suffix}" for suffix in (".xml", ".page.xml"))
    assert_same_lines(read_layout(alto), read_layout(page))
    assert [line.get("BASEDIRECTION") for line in check_alto(alto.read_bytes()).iter("{*}TextLine")] == 4 * ["ttb"]
    (region,) = check_page_xml(page.read_bytes()).iter("{*}TextRegion")
    assert (region.get("readingDirection"), region.get("textLineOrder")) == ("top-to-bottom", "right-to-left")
    lefts = [line.baseline[:, 0].mean() for line in read_layout(alto).lines]
    assert lefts == sorted(lefts, reverse=True)

    _, text, _ = read_scans(scans / "p0.png", "--format", "txt")
    assert len(text) > 20
    for name, options in {"direct": ["--direction", "ttb"], "laid out": ["--layouts", out]}.items():
        code, _, err = read_scans(turned, "--out", tmp_path / name, "--format", "txt,json,alto,page", *options)
        assert code == 0 and (tmp_path / name / "p0.txt").read_text(encoding="utf-8") == text, err
        (region,) = json.loads((tmp_path / name / "p0.json").read_text(encoding="utf-8"))["regions"]
        assert [line["direction"] for line in region["lines"]] == 4 * ["ttb"]
        for suffix in (".xml", ".page.xml"):
            read = read_layout(tmp_path / name / f"p0{suffix}").lines
            assert [(line.vertical, line.orientation) for line in read] == 4 * [("top-to-bottom", 1)]


@pytest.mark.parametrize(("direction", "order"), [("ttb", "right-to-left"), ("ttb-lr", "left-to-right")])
def test_the_network_finds_vertical_lines_in_both_orders(
    scans: Path, tmp_path: Path, run_segment: Segment, direction: str, order: str
) -> None:
    upright = np.asarray(Image.open(scans / "p0.png").convert("L"))
    turned = save(Drawn(np.ascontiguousarray(np.rot90(upright, -1))), tmp_path / "turned" / "p0.png")
    out = tmp_path / "layouts"
    options = ("--format", "alto,page", "--direction", direction)
    code, err = run_segment(turned, "--out", out, *options, finder="zoo:finder")
    assert code == 0 and "4 lines found on 1 page" in err
    (region,) = check_page_xml((out / "p0.page.xml").read_bytes()).iter("{*}TextRegion")
    assert (region.get("readingDirection"), region.get("textLineOrder")) == ("top-to-bottom", order)
    lines = read_layout(out / "p0.xml").lines
    assert [(line.vertical, line.orientation) for line in lines] == 4 * [("top-to-bottom", 1)]
    lefts = [line.baseline[:, 0].mean() for line in lines]
    assert lefts == sorted(lefts, reverse=direction == "ttb")


def test_an_interrupted_run_is_resumed(scans: Path, tmp_path: Path, run_segment: Segment) -> None:
    out = tmp_path / "out"
    run_segment(scans, "--out", out)
    (out / "p1.xml").unlink()
    (out / "p0.xml").write_text("corrected")
    assert read_status(scans, out).startswith("2 pages: 1 read, 0 failed, 1 left")
    _, err = run_segment(scans, "--out", out)
    assert "4 lines found on 1 page; 1 page skipped" in err and (out / "p0.xml").read_text() == "corrected"
    _, err = run_segment(scans, "--out", out, "--overwrite")
    assert "8 lines found on 2 pages" in err and len(read_layout(out / "p0.xml").lines) == 4


def read_status(scans: Path, out: Path, *options: str) -> str:
    """Return what ``segment --status`` prints."""
    command = [
        "-m",
        "htr_lightning",
        "segment",
        str(scans),
        "--out",
        str(out),
        "--status",
        "--finder",
        "classical",
        *options,
    ]
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True).stdout


def test_scans_that_have_changed_are_segmented_again(scans: Path, tmp_path: Path, run_segment: Segment) -> None:
    out = tmp_path / "out"
    (scans / "broken.png").write_bytes(b"no image")
    code, err = run_segment(scans, "--out", out)
    assert code == 1 and "broken.png" in err and "8 lines found on 2 pages" in err
    problem = json.loads((out / "broken.error.json").read_text())
    assert problem["problem"] and "broken.png" in problem["scan"]
    drawn = blank(800, 600)
    write(drawn, 100, 700, 150, 2, seed=9)
    save(drawn, scans / "p0.png")
    save(drawn, scans / "broken.png")
    assert read_status(scans, out).startswith("3 pages: 1 read, 1 failed, 0 left, 1 changed since")
    code, err = run_segment(scans, "--out", out)
    assert code == 0 and "4 lines found on 2 pages; 1 page skipped" in err
    assert len(read_layout(out / "p0.xml").lines) == 2 and not (out / "broken.error.json").exists()
    assert run_segment(scans, "--out", out)[1].startswith(f"{out}: 0 lines found on 0 pages; 3 pages skipped")


def test_layouts_of_other_settings_are_not_mixed(scans: Path, tmp_path: Path, run_segment: Segment) -> None:
    out = tmp_path / "out"
    assert run_segment(scans, "--out", out)[0] == 0
    code, err = run_segment(scans, "--out", out, "--split-pages")
    assert code == 1 and "results of other settings: --split-pages not given, now True" in err
    assert run_segment(scans, "--out", out, "--split-pages", "--overwrite")[0] == 0


def test_layouts_beside_the_scans_are_neither_read_nor_replaced(
    scans: Path, tmp_path: Path, run_segment: Segment
) -> None:
    (scans / "p0.xml").write_text("<alto/>")
    code, err = run_segment(scans, "--out", scans)
    assert code == 1 and "beside the scans" in err and (scans / "p0.xml").read_text() == "<alto/>"
    assert run_segment(scans, "--out", tmp_path / "out")[0] == 0
    assert len(read_layout(tmp_path / "out" / "p0.xml").lines) == 4


def test_several_machines_share_the_pages(tmp_path: Path, run_segment: Segment, read_scans: Run) -> None:
    for number in range(5):
        drawn = blank(800, 600)
        write(drawn, 100, 700, 150, 3, seed=number)
        save(drawn, tmp_path / "scans" / f"{number}.png")
    code, err = run_segment(tmp_path / "scans", "--out", tmp_path / "all")
    assert code == 0 and "5 pages" in err
    for number, pages in ((1, 3), (2, 2)):
        code, err = run_segment(tmp_path / "scans", "--out", tmp_path / "shared", "--shard", f"{number}/2")
        assert code == 0 and f"on {pages} pages" in err
    names = {path.name for path in (tmp_path / "all").glob("[!.]*")}
    assert len(names) == 5 and {path.name for path in (tmp_path / "shared").glob("[!.]*")} == names
    for name in names:
        assert_same_lines(read_layout(tmp_path / "all" / name), read_layout(tmp_path / "shared" / name))
    code, err = run_segment(tmp_path / "scans", "--out", tmp_path / "more", "--shard", "6/6")
    assert code == 0 and "0 pages" in err
    code, _, err = read_scans(tmp_path / "scans", "--out", tmp_path / "read", "--shard", "5/5")
    assert code == 0 and [path.name for path in (tmp_path / "read").glob("[!.]*")] == ["4.txt"]
    code, _, err = read_scans(tmp_path / "scans", "--shard", "1/2")
    assert code == 2 and "--out" in err


@pytest.mark.parametrize("value", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2", "1/2/3", ""])
def test_parts_that_cannot_be(scans: Path, tmp_path: Path, run_segment: Segment, value: str) -> None:
    code, err = run_segment(scans, "--out", tmp_path / "out", f"--shard={value}")
    assert code == 1 and "--shard" in err and (value in err) and not (tmp_path / "out").exists()


def test_double_pages_are_split(tmp_path: Path, run_segment: Segment, read_scans: Run) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    save(double_page(), scans / "open.png")
    save(small_page(), scans / "single.png")
    Image.fromarray(double_page().pixels).save(scans / "book.pdf", resolution=200)
    code, err = run_segment(scans, "--out", out, "--format", "alto,page", "--overlay", "--split-pages")
    assert code == 0 and "found on 5 pages" in err
    stems = ["book_0001_left", "book_0001_right", "open_left", "open_right", "single"]
    suffixes = (".png", ".xml", ".page.xml", ".overlay.jpg")
    assert sorted(path.name for path in out.glob("[!.]*")) == sorted(f"{stem}{s}" for stem in stems for s in suffixes)
    assert (out / "single.png").read_bytes() == (scans / "single.png").read_bytes()
    left, right = (np.asarray(Image.open(out / f"open_{side}.png")) for side in ("left", "right"))
    np.testing.assert_array_equal(np.concatenate([left, right], 1), double_page().pixels)
    for side, pixels, count in (("left", left, 6), ("right", right, 5)):
        for suffix in (".xml", ".page.xml"):
            layout = read_layout(out / f"open_{side}{suffix}")
            assert layout.image_name == f"open_{side}.png" and len(layout.lines) == count
            assert layout.size == pixels.shape[::-1]
            for line in layout.lines:
                x, y = line.baseline.mean(0)
                assert pixels[int(y) - 40 : int(y), int(x) - 100 : int(x) + 100].min() < 100, "ink above the baseline"
    _, err = run_segment(scans, "--out", out, "--format", "alto,page", "--overlay", "--split-pages")
    assert "3 pages skipped" in err
    (out / "open_right.xml").unlink()
    _, err = run_segment(scans, "--out", out, "--format", "alto,page", "--overlay", "--split-pages")
    assert "2 pages skipped" in err and (out / "open_right.xml").is_file()
    for path in out.glob("*.overlay.jpg"):
        path.unlink()
    code, _, err = read_scans(out, "--out", tmp_path / "read", "--format", "txt")
    assert code == 0 and "5 pages: lines are taken from the ALTO or PAGE files beside them" in err
    assert len((tmp_path / "read" / "open_left.txt").read_text().splitlines()) == 6


def test_the_finder_that_ships_gives_confidences(scans: Path, tmp_path: Path, run_segment: Segment) -> None:
    code, _ = run_segment(scans, "--out", tmp_path / "out", "--format", "alto,page", finder="zoo:finder")
    assert code == 0
    page = check_page_xml((tmp_path / "out" / "p0.page.xml").read_bytes())
    conf = [float(element.get("conf")) for element in page.iter("{*}Baseline")]
    assert conf and all(0 < value <= 1 for value in conf)
    alto = check_alto((tmp_path / "out" / "p0.xml").read_bytes())
    assert [float(element.get("WC")) for element in alto.iter("{*}String")] == conf
    limit = np.nextafter(max(conf) + 1e-4, 2)
    arguments = ["--format", "page", "--min-line-confidence", min(limit, 1.0), "--overwrite"]
    _, err = run_segment(scans / "p0.png", "--out", tmp_path / "out", *arguments, finder="zoo:finder")
    assert ("no line was found" in err) == (limit <= 1)


def test_pages_to_check_are_listed_once_at_the_end(tmp_path: Path, run_segment: Segment) -> None:
    scans = tmp_path / "scans"
    save(blank(900, 800), scans / "a_blank.png")
    save(small_page(lines=1), scans / "b_short.png")
    save(small_page(lines=4), scans / "c_good.png")
    (scans / "d_cut.png").write_bytes(b"not a picture")
    code, err = run_segment(scans, "--out", tmp_path / "out")
    rows = err.strip().splitlines()
    assert code == 1 and "d_cut.png" in rows[0] and rows[1] == "2 pages to check:"
    assert "a_blank.png: no line was found" in rows[2] and "b_short.png: only 1 line found" in rows[3]
    assert "5 lines found on 3 pages; 1 problem" in rows[4]
    assert read_layout(tmp_path / "out" / "a_blank.xml").lines == ()


@pytest.mark.parametrize("finder", ["classical", "zoo:finder"])
def test_strange_images(tmp_path: Path, run_segment: Segment, finder: str) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    generator = np.random.default_rng(0)
    pictures = {
        "black": np.zeros((600, 400), np.uint8),
        "noise": generator.integers(0, 256, (600, 400), np.uint8),
        "strip": np.full((40, 20_000), 255, np.uint8),
        "white": np.full((600, 400), 255, np.uint8),
    }
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(scans / f"{name}.png")
    code, err = run_segment(scans, "--out", tmp_path / "out", finder=finder)
    assert code == 0 and "found on 4 pages" in err
    assert read_layout(tmp_path / "out" / "white.xml").lines == read_layout(tmp_path / "out" / "black.xml").lines == ()
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(scans / "dot.png")
    code, err = run_segment(scans / "dot.png", "--out", tmp_path / "out", finder=finder)
    assert code == 1 and "dot.png: 1 x 1 px are too few for a page" in err


def test_a_page_that_is_too_large(tmp_path: Path, run_segment: Segment) -> None:
    Image.new("1", (20_000, 20_000), 1).save(tmp_path / "wall.png")
    code, err = run_segment(tmp_path / "wall.png", "--out", tmp_path / "out")
    assert code == 1 and "wall.png" in err and "pixels" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "finder", "message"),
    [
        (("--format", "txt"), "classical", "--format txt: "),
        (("--format", "alto,hocr"), "classical", "choose from alto, page"),
        (("--min-line-confidence", "2"), "zoo:finder", "--min-line-confidence 2.0: "),
        (("--min-line-confidence", "0.5"), "classical", "knows no confidence"),
        (("--segmenter", "columns=false"), "zoo:finder", "zoo:finder has no such settings"),
    ],
)
def test_command_lines_that_contradict_themselves(
    scans: Path, tmp_path: Path, run_segment: Segment, arguments: tuple[str, ...], finder: str, message: str
) -> None:
    code, err = run_segment(scans, "--out", tmp_path / "out", *arguments, finder=finder)
    assert code == 2 and message in err and not (tmp_path / "out").exists()


def test_what_is_no_line_finder(scans: Path, tmp_path: Path, run_segment: Segment, latin_onnx: Path) -> None:
    (tmp_path / "notes.safetensors").write_bytes(b"no tensors")
    newer = tmp_path / "newer.safetensors"
    newer.write_bytes(safetensors.numpy.save({"a": np.zeros(1)}, {FINDER_KEY: json.dumps({"format": 99})}))
    for finder, message in (
        ("zoo:latin", "zoo:latin: a recognizer, not a line finder"),
        ("zoo:none", "zoo:none: there is no such line finder"),
        (latin_onnx, "no line finder"),
        (tmp_path, "contains no model"),
        (newer, "newer.safetensors: line finder of format 99"),
        (tmp_path / "missing.safetensors", "there is no such model file"),
        (tmp_path / "notes.safetensors", "not a complete safetensors file"),
    ):
        code, err = run_segment(scans, "--out", tmp_path / "out", finder=finder)
        assert code == 1 and message in err and len(err.strip().splitlines()) == 1, finder
    assert not (tmp_path / "out").exists()


def test_a_line_finder_is_no_recognizer(scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from htr_lightning.cli import predict

    finder = list_finders()["finder"]
    for path in (finder, finder.with_suffix(".onnx")):
        shutil.copy(path, tmp_path / path.name)
    for model in ("zoo:finder", tmp_path / "finder.safetensors", tmp_path / "finder.onnx"):
        with pytest.raises(SystemExit) as ended:
            predict.main([str(model), str(scans)])
        assert "a line finder, not a recognizer" in str(ended.value.code) and "--finder" in str(ended.value.code)


def test_layouts_of_a_folder(scans: Path, tmp_path: Path, read_scans: Run) -> None:
    code, _, err = read_scans(scans, "--out", tmp_path / "out", "--layouts", tmp_path, "--ignore-layouts")
    assert code == 2 and "--layouts cannot be combined with --ignore-layouts" in err
    code, _, err = read_scans(scans, "--out", tmp_path / "out", "--layouts", tmp_path)
    assert code == 1 and f"{tmp_path}: there is no ALTO or PAGE file of any of the pages" in err


def test_segment_runs_without_torch(scans: Path, tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("onnxruntime")
    arguments = [str(scans / "p0.png"), "--out", str(tmp_path / "out")]
    code = f"import sys; sys.modules['torch'] = None; from htr_lightning.cli import segment; segment.main({arguments})"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert read_layout(tmp_path / "out" / "p0.xml").lines

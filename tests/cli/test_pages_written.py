"""Whole pages through the command line: what is written, and what is gone on with."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from helpers.drawn_pages import blank, small_page
from PIL import Image

from htr_lightning.image.views import TTA_VIEWS, View
from htr_lightning.layout.formats import read_layout
from htr_lightning.reading.page_jobs import are_pages

ALL = "alto,page,hocr,json,txt,pdf"
SUFFIXES = (".xml", ".page.xml", ".hocr", ".json", ".txt", ".pdf")

Run = Callable[..., tuple[int, str, str]]


def test_every_format_is_written(scans: Path, tmp_path: Path, read_scans: Run) -> None:
    code, _, err = read_scans(scans, "--out", tmp_path / "out", "--format", ALL, "--overlay")
    assert code == 0 and "2 pages with 8 lines read" in err
    names = sorted(path.name for path in (tmp_path / "out").glob("[!.]*"))
    assert names == sorted(f"p{n}{s}" for n in range(2) for s in (*SUFFIXES, ".overlay.jpg"))
    layouts = [read_layout(tmp_path / "out" / f"p0{suffix}") for suffix in (".xml", ".page.xml")]
    told = json.loads((tmp_path / "out" / "p0.json").read_text(encoding="utf-8"))
    text = (tmp_path / "out" / "p0.txt").read_text(encoding="utf-8").split("\n")
    texts = [line["text"] for region in told["regions"] for line in region["lines"]]
    assert texts == [line for line in text if line] and len(texts) == 4
    for layout in layouts:
        assert [line.text for line in layout.lines] == texts and layout.size == (900, 800)


def test_pages_that_are_there_are_passed_over(scans: Path, tmp_path: Path, read_scans: Run) -> None:
    out = tmp_path / "out"
    read_scans(scans, "--out", out, "--format", "alto,txt")
    before = (out / "p0.txt").stat().st_mtime_ns
    (out / "p1.xml").unlink()
    (out / "p1.txt").write_text("half")  # corrected by hand
    _, _, err = read_scans(scans, "--out", out, "--format", "alto,txt")
    assert "1 page skipped" in err and "1 page with 4 lines" in err
    assert (out / "p0.txt").stat().st_mtime_ns == before and (out / "p1.txt").read_text() == "half"
    assert (out / "p1.xml").is_file()
    _, _, err = read_scans(scans, "--out", out, "--format", "alto,txt", "--overwrite")
    assert "2 pages with 8 lines" in err


def test_text_and_json_can_be_printed(scans: Path, read_scans: Run) -> None:
    code, out, _ = read_scans(scans / "p0.png", "--format", "txt")
    assert code == 0 and len(out.strip().split("\n")) == 4
    _, out, _ = read_scans(scans / "p0.png", "--pages", "--format", "json")
    assert json.loads(out)["regions"]


def test_documents_of_several_pages(tmp_path: Path, read_scans: Run) -> None:
    first, *others = [Image.fromarray(small_page(lines=n + 2, seed=n).pixels) for n in range(3)]
    first.save(tmp_path / "book.tif", save_all=True, append_images=others)
    first.save(tmp_path / "doc.pdf", save_all=True, append_images=others, resolution=100)
    code, _, err = read_scans(
        tmp_path / "doc.pdf", tmp_path / "book.tif", "--out", tmp_path / "out", "--format", "txt,pdf"
    )
    assert code == 0 and "6 pages with 18 lines" in err
    names = {path.name for path in (tmp_path / "out").glob("[!.]*")}
    assert names == {f"{n}_000{i}.txt" for n in ("doc", "book") for i in (1, 2, 3)} | {"doc.pdf", "book.pdf"}
    document = pypdfium2.PdfDocument(tmp_path / "out" / "doc.pdf")
    words = document[2].get_textpage().get_text_range().split()
    document.close()
    assert words == (tmp_path / "out" / "doc_0003.txt").read_text(encoding="utf-8").split()
    _, _, err = read_scans(
        tmp_path / "doc.pdf", tmp_path / "book.tif", "--out", tmp_path / "out", "--format", "txt,pdf"
    )
    assert "6 pages skipped" in err


def test_a_layout_beside_the_image_is_kept_and_filled(scans: Path, tmp_path: Path, read_scans: Run) -> None:
    (scans / "p1.png").unlink()
    read_scans(scans, "--out", tmp_path / "first", "--format", "alto")
    layout = (tmp_path / "first" / "p0.xml").read_text(encoding="utf-8")
    marked = layout.replace("<Layout", "<!-- by hand --><Layout").replace('ID="r1_l2"', 'ID="mine"')
    assert marked.count("mine") and marked.count("by hand")
    (scans / "p0.xml").write_text(marked, encoding="utf-8")
    code, _, err = read_scans(scans, "--out", tmp_path / "second", "--format", "alto,txt")
    assert err.count("1 page: lines are taken from the ALTO or PAGE file beside it; --ignore-layouts") == 1
    again = (tmp_path / "second" / "p0.xml").read_text(encoding="utf-8")
    assert code == 0 and "by hand" in again and 'ID="mine"' in again
    first, second = (read_layout(tmp_path / name / "p0.xml") for name in ("first", "second"))
    for one, other in zip(first.lines, second.lines, strict=True):
        np.testing.assert_array_equal(one.polygon, other.polygon)
    code, _, err = read_scans(scans, "--out", scans, "--format", "alto")
    assert code == 1 and "the next run would take p0.xml beside the scans for a layout or a scan" in err
    assert (scans / "p0.xml").read_text(encoding="utf-8") == marked


def test_results_beside_the_scans_are_not_read_as_scans(scans: Path, read_scans: Run) -> None:
    read_scans(scans, "--out", scans, "--format", "txt", "--overlay")
    before = sorted(scans.iterdir())
    _, _, err = read_scans(scans, "--out", scans, "--format", "txt", "--overlay")
    assert "2 pages skipped" in err and sorted(scans.iterdir()) == before


def test_a_strip_of_a_page(tmp_path: Path, read_scans: Run) -> None:
    Image.fromarray(blank(60, 3000).pixels).save(tmp_path / "a.png")
    Image.fromarray(small_page().pixels).save(tmp_path / "b.png")
    code, _, _ = read_scans(tmp_path, "--out", tmp_path / "out", "--format", "txt", "--overlay", "--pages")
    assert code == 0 and (tmp_path / "out" / "b.overlay.jpg").is_file()


def test_a_photograph_stored_turned_is_read_as_its_layout_was_made(
    scans: Path, tmp_path: Path, read_scans: Run
) -> None:
    read_scans(scans / "p0.png", "--out", tmp_path / "first", "--format", "alto,txt")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(scans / "p0.png").save(scans / "q.png", exif=exif)
    (tmp_path / "first" / "p0.xml").rename(scans / "q.xml")
    read_scans(scans / "q.png", "--out", tmp_path / "second", "--format", "txt", "--pages")
    assert (tmp_path / "second" / "q.txt").read_text() == (tmp_path / "first" / "p0.txt").read_text()


def test_folders_are_kept(scans: Path, tmp_path: Path, read_scans: Run) -> None:
    (scans / "box").mkdir()
    (scans / "p1.png").rename(scans / "box" / "p0.png")
    read_scans(scans, "--out", tmp_path / "out", "--format", "txt")
    assert (tmp_path / "out" / "p0.txt").is_file() and (tmp_path / "out" / "box" / "p0.txt").is_file()


def test_a_run_that_is_killed_is_gone_on_with(scans: Path, tmp_path: Path, read_scans: Run) -> None:
    for number in range(2, 30):
        Image.fromarray(small_page(seed=number).pixels).save(scans / f"p{number}.png")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "htr_lightning", "predict", "zoo:latin", str(scans), "--out", str(out)]
    command += ["--finder", "classical", "--format", "txt,alto"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list(out.glob("p*.xml"))) < 3:
        pass
    process.kill()
    process.wait()
    assert 0 < len(list(out.glob("p*.xml"))) < 30
    for path in out.glob("p*.xml"):
        assert len(read_layout(path).lines) == 4, "whole"
    _, _, err = read_scans(scans, "--out", out, "--format", "txt,alto")
    assert "skipped because of existing results" in err
    assert len(list(out.glob("p*.xml"))) == len(list(out.glob("p*.txt"))) == 30


@pytest.mark.parametrize(
    ("size", "formats", "expected"),
    [
        ((2000, 100), ["txt"], False),
        ((2000, 100), ["alto"], True),
        ((2000, 100), ["txt", "json"], True),
        ((2000, 2600), ["txt"], True),
        ((2000, 2600), ["tsv"], False),
        ((200, 100), ["txt"], False),
    ],
)
def test_pages_are_told_from_lines(tmp_path: Path, size: tuple[int, int], formats: list[str], expected: bool) -> None:
    Image.new("L", size).save(tmp_path / "a.png")
    assert are_pages([tmp_path / "a.png"], formats) is expected
    assert are_pages([tmp_path], formats) is expected


def test_pages_are_read_with_tta(scans: Path, read_scans: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = set()
    monkeypatch.setattr(View, "__call__", lambda view, line, transform: looked.add(view.width) or line)
    read_scans(scans / "p0.png", "--format", "txt", "--tta")
    assert looked == {view.width for view in TTA_VIEWS}


@pytest.mark.parametrize("place", [30_000, 9_999_999, -9_999_999])
@pytest.mark.parametrize("part", ["baseline", "line"])
def test_a_line_of_a_layout_far_outside_of_the_page(place: int, part: str, tmp_path: Path, read_scans: Run) -> None:
    page = small_page(seed=1)
    height, width = page.pixels.shape[:2]
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        Image.fromarray(page.pixels).save(tmp_path / "in" / f"{name}.png")
    shape = f"50,{place} 300,{place} 300,{place + 20} 50,{place + 20}" if part == "line" else "50,110 300,110 300,130"
    lines = (("l1", "50,85 300,85 300,105 50,105", "50,100 300,100"), ("l2", shape, f"50,{place} 300,{place}"))
    text_lines = "".join(
        f'<TextLine id="{id}"><Coords points="{outline}"/><Baseline points="{baseline}"/></TextLine>'
        for id, outline, baseline in lines
    )
    (tmp_path / "in" / "a.xml").write_text(
        '<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">'
        f'<Page imageFilename="a.png" imageWidth="{width}" imageHeight="{height}"><TextRegion id="r">'
        f'<Coords points="0,0 9,0 9,9"/>{text_lines}</TextRegion></Page></PcGts>'
    )
    code, _, err = read_scans(tmp_path / "in", "--pages", "--out", tmp_path / "out", "--format", "txt", "--overlay")
    assert code == 0 and "line l2: " in err
    assert ("leaves its outline" in err) == (part == "baseline")
    assert sorted(p.name for p in (tmp_path / "out").glob("[!.]*")) == [
        "a.overlay.jpg",
        "a.txt",
        "b.overlay.jpg",
        "b.txt",
    ]
    with Image.open(tmp_path / "out" / "a.overlay.jpg") as overlay:
        assert max(overlay.size) < 10_000

"""Whole pages through the command line: what is written, what is refused, what is gone on with."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from page.drawn import Drawn, blank, write
from PIL import Image

from htr_lightning import predict
from htr_lightning.data.line import DataError
from htr_lightning.page.formats import read_page
from htr_lightning.page.scan import Scan
from htr_lightning.predict_pages import are_pages

ALL = "alto,page,hocr,json,txt,pdf"
SUFFIXES = (".xml", ".page.xml", ".hocr", ".json", ".txt", ".pdf")


def page(lines: int = 4, seed: int = 0) -> Drawn:
    drawn = blank(900, 800)
    write(drawn, 100, 800, 150, lines, seed=seed)
    return drawn


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(2):
        Image.fromarray(page(seed=number).pixels).save(folder / f"p{number}.png")
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: object) -> tuple[int, str, str]:
        code: Any = 0
        try:
            predict.main(["zoo:latin", *map(str, arguments)])
        except SystemExit as error:
            code = error.code
        out, err = capsys.readouterr()
        if isinstance(code, str):
            code, err = 1, err + code
        return int(code or 0), out, err

    return run


Run = Callable[..., tuple[int, str, str]]


def test_every_format_is_written(scans: Path, tmp_path: Path, run: Run) -> None:
    code, _, err = run(scans, "--out", tmp_path / "out", "--format", ALL, "--overlay")
    assert code == 0 and "2 pages with 8 lines read" in err
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted(f"p{n}{s}" for n in range(2) for s in (*SUFFIXES, ".overlay.jpg"))
    layouts = [read_page(tmp_path / "out" / f"p0{suffix}") for suffix in (".xml", ".page.xml")]
    told = json.loads((tmp_path / "out" / "p0.json").read_text(encoding="utf-8"))
    text = (tmp_path / "out" / "p0.txt").read_text(encoding="utf-8").split("\n")
    texts = [line["text"] for region in told["regions"] for line in region["lines"]]
    assert texts == [line for line in text if line] and len(texts) == 4
    for layout in layouts:
        assert [line.text for line in layout.lines] == texts and layout.size == (900, 800)


def test_pages_that_are_there_are_passed_over(scans: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    run(scans, "--out", out, "--format", "alto,txt")
    before = (out / "p0.txt").stat().st_mtime_ns
    (out / "p1.xml").unlink()
    (out / "p1.txt").write_text("half")
    _, _, err = run(scans, "--out", out, "--format", "alto,txt")
    assert "1 of 2 pages are there already" in err and "1 page with 4 lines" in err
    assert (out / "p0.txt").stat().st_mtime_ns == before and (out / "p1.txt").read_text() != "half"
    _, _, err = run(scans, "--out", out, "--format", "alto,txt", "--again")
    assert "2 pages with 8 lines" in err


def test_text_and_json_can_be_printed(scans: Path, run: Run) -> None:
    code, out, _ = run(scans / "p0.png", "--format", "txt")
    assert code == 0 and len(out.strip().split("\n")) == 4
    _, out, _ = run(scans / "p0.png", "--pages", "--format", "json")
    assert json.loads(out)["regions"]


def test_documents_of_several_pages(tmp_path: Path, run: Run) -> None:
    first, *others = [Image.fromarray(page(lines=n + 2, seed=n).pixels) for n in range(3)]
    first.save(tmp_path / "book.tif", save_all=True, append_images=others)
    first.save(tmp_path / "doc.pdf", save_all=True, append_images=others, resolution=100)
    code, _, err = run(tmp_path / "doc.pdf", tmp_path / "book.tif", "--out", tmp_path / "out", "--format", "txt,pdf")
    assert code == 0 and "6 pages with 18 lines" in err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {f"{n}_000{i}.txt" for n in ("doc", "book") for i in (1, 2, 3)} | {"doc.pdf", "book.pdf"}
    document = pypdfium2.PdfDocument(tmp_path / "out" / "doc.pdf")
    words = document[2].get_textpage().get_text_range().split()
    document.close()
    assert words == (tmp_path / "out" / "doc_0003.txt").read_text(encoding="utf-8").split()
    _, _, err = run(tmp_path / "doc.pdf", tmp_path / "book.tif", "--out", tmp_path / "out", "--format", "txt,pdf")
    assert "6 of 6 pages are there already" in err


def test_a_layout_beside_the_image_is_kept_and_filled(scans: Path, tmp_path: Path, run: Run) -> None:
    (scans / "p1.png").unlink()
    run(scans, "--out", tmp_path / "first", "--format", "alto")
    layout = (tmp_path / "first" / "p0.xml").read_text(encoding="utf-8")
    marked = layout.replace("<Layout", "<!-- by hand --><Layout").replace('ID="r1_l2"', 'ID="mine"')
    assert marked.count("mine") and marked.count("by hand")
    (scans / "p0.xml").write_text(marked, encoding="utf-8")
    code, _, _ = run(scans, "--out", tmp_path / "second", "--format", "alto,txt")
    again = (tmp_path / "second" / "p0.xml").read_text(encoding="utf-8")
    assert code == 0 and "by hand" in again and 'ID="mine"' in again
    first, second = (read_page(tmp_path / name / "p0.xml") for name in ("first", "second"))
    for one, other in zip(first.lines, second.lines, strict=True):
        np.testing.assert_array_equal(one.polygon, other.polygon)
    code, _, err = run(scans, "--out", scans, "--format", "alto")
    assert code == 1 and "p0.xml beside the scans would be taken for a layout or a scan by the next run" in err
    assert (scans / "p0.xml").read_text(encoding="utf-8") == marked


def test_what_cannot_be_read_is_named_and_the_rest_is_read(scans: Path, tmp_path: Path, run: Run) -> None:
    (scans / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    (scans / "bad.pdf").write_bytes(b"%PDF-1.7 nothing")
    Image.new("L", (1, 1)).save(scans / "dot.png")
    (scans / "p1.xml").write_text("<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><alto>&b;</alto>")
    code, _, err = run(scans, "--out", tmp_path / "out", "--format", "txt", "--pages")
    assert code == 1 and "1 page with 4 lines read; 4 problems, named above" in err
    for name in ("cut.jpg", "bad.pdf", "dot.png", "p1.xml"):
        assert sum(name in line for line in err.split("\n")) == 1, name
    assert "1 x 1 px are too few for a page" in err and "declares entities" in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["p0.txt"]


def test_results_beside_the_scans_are_not_read_as_scans(scans: Path, run: Run) -> None:
    run(scans, "--out", scans, "--format", "txt", "--overlay")
    before = sorted(scans.iterdir())
    _, _, err = run(scans, "--out", scans, "--format", "txt", "--overlay")
    assert "2 of 2 pages are there already" in err and sorted(scans.iterdir()) == before


def test_a_document_with_a_page_that_cannot_be_read(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [Image.fromarray(page(lines=2, seed=n).pixels) for n in range(3)]
    pages[0].save(tmp_path / "doc.pdf", save_all=True, append_images=pages[1:], resolution=100)
    read = Scan.read

    def fails(scan: Scan, *arguments: Any) -> Any:
        if scan.number == 2:
            raise DataError("page 2 is torn")
        return read(scan, *arguments)

    monkeypatch.setattr(Scan, "read", fails)
    out = tmp_path / "out"
    code, _, err = run(tmp_path / "doc.pdf", "--out", out, "--format", "txt,pdf")
    assert code == 1 and "page 2 is torn" in err and "doc.pdf: is not written, as page 2 could not be read" in err
    assert not (out / "doc.pdf").exists()
    monkeypatch.undo()
    code, _, err = run(tmp_path / "doc.pdf", "--out", out, "--format", "txt,pdf")
    assert code == 0 and "2 of 3 pages are there already" in err
    assert sorted(path.name for path in out.iterdir()) == ["doc.pdf", *(f"doc_000{n}.txt" for n in (1, 2, 3))]
    (out / "doc_0002.txt").unlink()
    run(tmp_path / "doc.pdf", "--out", out, "--format", "txt,pdf")
    assert sorted(path.name for path in out.iterdir()) == ["doc.pdf", *(f"doc_000{n}.txt" for n in (1, 2, 3))]


def test_a_document_and_an_image_of_one_name(tmp_path: Path, run: Run) -> None:
    image = Image.fromarray(page().pixels)
    image.save(tmp_path / "doc.png")
    image.save(tmp_path / "doc.pdf")
    code, _, err = run(tmp_path, "--out", tmp_path / "out", "--format", "pdf")
    assert code == 1 and "would both be written to" in err and "doc.pdf; rename one" in err


def test_a_strip_of_a_page(tmp_path: Path, run: Run) -> None:
    Image.fromarray(blank(60, 3000).pixels).save(tmp_path / "a.png")
    Image.fromarray(page().pixels).save(tmp_path / "b.png")
    code, _, _ = run(tmp_path, "--out", tmp_path / "out", "--format", "txt", "--overlay", "--pages")
    assert code == 0 and (tmp_path / "out" / "b.overlay.jpg").is_file()


def test_a_layout_without_lines(scans: Path, tmp_path: Path, run: Run) -> None:
    Image.fromarray(blank(900, 800).pixels).save(scans / "p0.png")
    run(scans / "p0.png", "--out", tmp_path / "first", "--format", "alto")
    (tmp_path / "first" / "p0.xml").rename(scans / "p0.xml")
    _, _, err = run(scans / "p0.png", "--out", tmp_path / "second", "--format", "txt")
    assert "p0.xml, has no lines; --find-lines looks for them" in err


def test_a_photograph_stored_turned_is_read_as_its_layout_was_made(scans: Path, tmp_path: Path, run: Run) -> None:
    run(scans / "p0.png", "--out", tmp_path / "first", "--format", "alto,txt")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(scans / "p0.png").save(scans / "q.png", exif=exif)
    (tmp_path / "first" / "p0.xml").rename(scans / "q.xml")
    run(scans / "q.png", "--out", tmp_path / "second", "--format", "txt", "--pages")
    assert (tmp_path / "second" / "q.txt").read_text() == (tmp_path / "first" / "p0.txt").read_text()


def test_a_page_on_its_side_is_noticed(tmp_path: Path, run: Run) -> None:
    Image.fromarray(np.rot90(page(lines=6).pixels, 3)).save(tmp_path / "side.png")
    _, _, err = run(tmp_path / "side.png", "--out", tmp_path / "out", "--format", "txt", "--pages")
    assert "on its side; turn the image by 90 degrees (anticlockwise)" in err


def test_pages_and_lines_together_are_refused(scans: Path, run: Run) -> None:
    Image.new("L", (900, 60), 255).save(scans / "line.png")
    code, _, err = run(scans, "--format", "txt")
    assert code == 2 and "2 images have the form of pages and 1 that of lines; say --pages or --lines" in err


def test_nothing_is_written_where_nothing_is_read(tmp_path: Path, run: Run) -> None:
    code, _, err = run(tmp_path / "typo.png", "--out", tmp_path / "out")
    assert code == 1 and "typo.png: there is no such file" in err and not (tmp_path / "out").exists()


def test_a_pdf_with_a_password(tmp_path: Path, run: Run) -> None:
    key = b"<" + b"ab" * 32 + b">"  # of no password in the world, so not of the empty one
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [] /Count 0 >>",
        b"<< /Filter /Standard /V 1 /R 2 /O " + key + b" /U " + key + b" /P -4 >>",
    ]
    content, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    ending = b"<< /Size 4 /Root 1 0 R /Encrypt 3 0 R /ID [<00><00>] >>\nstartxref\n%d\n%%%%EOF" % len(content)
    (tmp_path / "locked.pdf").write_bytes(content + b"xref\n0 4\n0000000000 65535 f \n" + table + b"trailer\n" + ending)
    code, _, err = run(tmp_path / "locked.pdf", "--out", tmp_path / "out", "--format", "txt")
    assert code == 1 and "is locked by a password; save a copy without one" in err


def test_pages_without_writing_say_so(tmp_path: Path, run: Run) -> None:
    Image.fromarray(blank(900, 800).pixels).save(tmp_path / "blank.png")
    code, _, err = run(tmp_path / "blank.png", "--out", tmp_path / "out", "--format", ALL)
    assert code == 0 and "blank.png: no writing was found on it" in err
    assert read_page(tmp_path / "out" / "blank.xml").lines == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "alto"), "--out FOLDER is needed for --format alto"),
        (("--format", "docx"), "'docx' is none of txt, tsv, json, alto, page, hocr, pdf"),
        (("--format", "tsv", "--pages"), "pages are written as txt, json, alto, page, hocr, pdf"),
        (("--lines", "--format", "txt,json"), "lines are written as txt, tsv, json; one of them"),
        (("--pages", "--cut", "glyphs"), "--cut is for lines"),
        (("--lines", "--overlay"), "--overlay is for pages"),
        (("--pages", "--segment", "columns=perhaps"), "'perhaps' cannot be a value of columns"),
        (("--pages", "--segment", "colour=red"), "give one of working_px=..., columns=..., min_height_px=..."),
        (("--pages", "--segment", "working_px=1"), "segment.working_px: 1 is too small"),
    ],
)
def test_command_lines_that_contradict_themselves(
    scans: Path, run: Run, arguments: tuple[str, ...], message: str
) -> None:
    code, _, err = run(scans / "p0.png", *arguments)
    assert code == 2 and message in err


def test_two_pages_for_one_file(scans: Path, tmp_path: Path, run: Run) -> None:
    Image.fromarray(page().pixels).save(scans / "p0.jpg")
    code, _, err = run(scans, "--out", tmp_path / "out", "--format", "txt")
    assert code == 1 and "would both be written to" in err and "p0.jpg" in err and "p0.png" in err


def test_an_output_that_cannot_be_a_folder(scans: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "out").write_text("a file")
    code, _, err = run(scans, "--out", tmp_path / "out", "--format", "txt")
    assert code == 1 and "cannot be written" in err and "name another folder" in err


def test_folders_are_kept(scans: Path, tmp_path: Path, run: Run) -> None:
    (scans / "box").mkdir()
    (scans / "p1.png").rename(scans / "box" / "p0.png")
    run(scans, "--out", tmp_path / "out", "--format", "txt")
    assert (tmp_path / "out" / "p0.txt").is_file() and (tmp_path / "out" / "box" / "p0.txt").is_file()


def test_a_page_upside_down_is_noticed(tmp_path: Path, run: Run) -> None:
    drawn = page(lines=6)
    Image.fromarray(drawn.pixels[::-1, ::-1]).save(tmp_path / "turned.png")
    _, _, err = run(tmp_path / "turned.png", "--out", tmp_path / "out", "--format", "txt", "--pages")
    assert "upside down; turn the image by 180 degrees" in err


def test_a_run_that_is_killed_is_gone_on_with(scans: Path, tmp_path: Path, run: Run) -> None:
    for number in range(2, 30):
        Image.fromarray(page(seed=number).pixels).save(scans / f"p{number}.png")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "htr_lightning", "predict", "zoo:latin", str(scans), "--out", str(out)]
    process = subprocess.Popen([*command, "--format", "txt,alto"], stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list(out.glob("p*.xml"))) < 3:
        pass
    process.kill()
    process.wait()
    assert 0 < len(list(out.glob("p*.xml"))) < 30
    for path in out.glob("p*.xml"):
        assert len(read_page(path).lines) == 4, "whole"
    _, _, err = run(scans, "--out", out, "--format", "txt,alto")
    assert "pages are there already" in err
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

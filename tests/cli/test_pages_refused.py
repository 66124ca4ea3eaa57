"""Whole pages through the command line: what is refused, and what is warned of."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.drawn_pages import blank, small_page
from PIL import Image

from htr_lightning.image.files import DataError
from htr_lightning.image.scan import Scan
from htr_lightning.layout.formats import read_layout
from htr_lightning.segmentation.segmenter import Segmenter

ALL = "alto,page,hocr,json,txt,pdf"

Run = Callable[..., tuple[int, str, str]]


def test_what_cannot_be_read_is_named_and_the_rest_is_read(scans: Path, tmp_path: Path, read_scans: Run) -> None:
    (scans / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    (scans / "bad.pdf").write_bytes(b"%PDF-1.7 nothing")
    Image.new("L", (1, 1)).save(scans / "dot.png")
    (scans / "p1.xml").write_text("<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><alto>&b;</alto>")
    code, _, err = read_scans(scans, "--out", tmp_path / "out", "--format", "txt", "--pages")
    assert code == 1 and "1 page with 4 lines read; 4 problems" in err
    for name in ("cut.jpg", "bad.pdf", "dot.png", "p1.xml"):
        assert sum(name in line for line in err.split("\n")) == 1, name
    assert "1 x 1 px are too few for a page" in err and "declares entities" in err
    failed = [f"{name}.error.json" for name in ("bad", "cut", "dot", "p1")]
    assert {path.name for path in (tmp_path / "out").glob("[!.]*")} == {"p0.txt", *failed}


def test_a_document_with_a_page_that_cannot_be_read(
    tmp_path: Path, read_scans: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [Image.fromarray(small_page(lines=2, seed=n).pixels) for n in range(3)]
    pages[0].save(tmp_path / "doc.pdf", save_all=True, append_images=pages[1:], resolution=100)
    read = Scan.read

    def fails(scan: Scan, *arguments: Any) -> Any:
        if scan.number == 2:
            raise DataError("page 2 is torn")
        return read(scan, *arguments)

    monkeypatch.setattr(Scan, "read", fails)
    out = tmp_path / "out"
    code, _, err = read_scans(tmp_path / "doc.pdf", "--out", out, "--format", "txt,pdf")
    assert code == 1 and "page 2 is torn" in err and "doc.pdf: not written because page 2 could not be read" in err
    assert not (out / "doc.pdf").exists()
    monkeypatch.undo()
    code, _, err = read_scans(tmp_path / "doc.pdf", "--out", out, "--format", "txt,pdf")
    assert code == 0 and "2 pages skipped" in err
    assert sorted(path.name for path in out.glob("[!.]*")) == ["doc.pdf", *(f"doc_000{n}.txt" for n in (1, 2, 3))]
    (out / "doc_0002.txt").unlink()
    read_scans(tmp_path / "doc.pdf", "--out", out, "--format", "txt,pdf")
    assert sorted(path.name for path in out.glob("[!.]*")) == ["doc.pdf", *(f"doc_000{n}.txt" for n in (1, 2, 3))]


def test_a_document_and_an_image_of_one_name(tmp_path: Path, read_scans: Run) -> None:
    image = Image.fromarray(small_page().pixels)
    image.save(tmp_path / "doc.png")
    image.save(tmp_path / "doc.pdf")
    code, _, err = read_scans(tmp_path, "--out", tmp_path / "out", "--format", "pdf")
    assert code == 1 and "would both be written to" in err and "doc.pdf; rename one" in err


def test_a_layout_without_lines(scans: Path, tmp_path: Path, read_scans: Run) -> None:
    Image.fromarray(blank(900, 800).pixels).save(scans / "p0.png")
    read_scans(scans / "p0.png", "--out", tmp_path / "first", "--format", "alto")
    (tmp_path / "first" / "p0.xml").rename(scans / "p0.xml")
    _, _, err = read_scans(scans / "p0.png", "--out", tmp_path / "second", "--format", "txt")
    assert "p0.xml, has no lines" in err and "--ignore-layouts" in err


def turn_pages(monkeypatch: pytest.MonkeyPatch, turns: int) -> None:
    """Let pages seem to be turned clockwise by some quarter turns."""
    find = Segmenter.find
    monkeypatch.setattr(Segmenter, "find", lambda *given: replace(find(*given), orientation=turns))


def test_a_page_on_its_side_is_noticed(tmp_path: Path, read_scans: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(small_page(lines=6).pixels).save(tmp_path / "side.png")
    turn_pages(monkeypatch, 1)
    _, _, err = read_scans(tmp_path / "side.png", "--out", tmp_path / "out", "--format", "txt", "--pages")
    assert "on its side" in err and "90 degrees" in err


def test_pages_and_lines_together_are_refused(scans: Path, read_scans: Run) -> None:
    Image.new("L", (900, 60), 255).save(scans / "line.png")
    code, _, err = read_scans(scans, "--format", "txt")
    assert code == 2 and "2 images have the shape of pages and 1 that of lines; choose --pages or --lines" in err


def test_nothing_is_written_where_nothing_is_read(tmp_path: Path, read_scans: Run) -> None:
    code, _, err = read_scans(tmp_path / "typo.png", "--out", tmp_path / "out")
    assert code == 1 and "typo.png: there is no such file" in err and not (tmp_path / "out").exists()


def test_a_pdf_with_a_password(tmp_path: Path, read_scans: Run) -> None:
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
    code, _, err = read_scans(tmp_path / "locked.pdf", "--out", tmp_path / "out", "--format", "txt")
    assert code == 1 and "is locked by a password; save a copy without one" in err


def test_pages_without_writing_say_so(tmp_path: Path, read_scans: Run) -> None:
    Image.fromarray(blank(900, 800).pixels).save(tmp_path / "blank.png")
    code, _, err = read_scans(tmp_path / "blank.png", "--out", tmp_path / "out", "--format", ALL)
    assert code == 0 and "blank.png: no handwriting" in err
    assert read_layout(tmp_path / "out" / "blank.xml").lines == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "alto"), "--format alto: --out FOLDER is required"),
        (("--format", "docx"), "unknown format 'docx'; choose from txt, tsv, json, alto, page, hocr, csv, pdf"),
        (
            ("--format", "tsv", "--pages"),
            "tsv cannot be written for pages; choose from txt, json, alto",
        ),
        (
            ("--lines", "--format", "txt,json"),
            "only one format can be written for lines",
        ),
        (("--pages", "--character-crops", "crops"), "--character-crops: only for lines"),
        (("--lines", "--overlay"), "--overlay: only for pages"),
        (("--pages", "--segmenter", "columns=perhaps"), "'perhaps' is not a value of columns"),
        (("--pages", "--segmenter", "color=red"), "choose from working_px=..., columns=..., min_height_px=..."),
        (("--pages", "--segmenter", "working_px=1"), "segmenter.working_px=1: "),
    ],
)
def test_command_lines_that_contradict_themselves(
    scans: Path, read_scans: Run, arguments: tuple[str, ...], message: str
) -> None:
    code, _, err = read_scans(scans / "p0.png", *arguments)
    assert code == 2 and message in err


def test_two_pages_for_one_file(scans: Path, tmp_path: Path, read_scans: Run) -> None:
    Image.fromarray(small_page().pixels).save(scans / "p0.jpg")
    code, _, err = read_scans(scans, "--out", tmp_path / "out", "--format", "txt")
    assert code == 1 and "would both be written to" in err and "p0.jpg" in err and "p0.png" in err


def test_an_output_that_cannot_be_a_folder(scans: Path, tmp_path: Path, read_scans: Run) -> None:
    (tmp_path / "out").write_text("a file")
    code, _, err = read_scans(scans, "--out", tmp_path / "out", "--format", "txt")
    assert code == 1 and "cannot be written" in err and "choose another folder" in err


def test_a_page_upside_down_is_noticed(tmp_path: Path, read_scans: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(small_page(lines=6).pixels).save(tmp_path / "turned.png")
    turn_pages(monkeypatch, 2)
    _, _, err = read_scans(tmp_path / "turned.png", "--out", tmp_path / "out", "--format", "txt", "--pages")
    assert "upside down" in err and "180 degrees" in err

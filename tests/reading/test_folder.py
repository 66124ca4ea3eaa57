"""Folders of scans read by a program."""

from pathlib import Path

import pytest
from helpers.drawn_pages import small_page
from PIL import Image

import htr_lightning
from htr_lightning import load, read_folder
from htr_lightning.errors import InputError
from htr_lightning.files import OutputError
from htr_lightning.reading.api import Reader
from htr_lightning.reading.folder import read_pages
from htr_lightning.reading.work import FolderResult
from htr_lightning.segmentation.segmenter import Segmenter


@pytest.fixture(scope="module")
def model() -> Reader:
    return load("zoo:latin", segmenter=Segmenter())


def test_a_folder_is_read_once(model: Reader, scans: Path, tmp_path: Path) -> None:
    out, formats = tmp_path / "out", ["alto", "txt"]
    assert read_folder(scans, out, model, formats=formats) == FolderResult(2, 8, 0, ())
    assert sorted(p.name for p in out.glob("[!.]*")) == ["p0.txt", "p0.xml", "p1.txt", "p1.xml"]
    assert (out / "p0.txt").read_text(encoding="utf-8").strip() == model.read(scans / "p0.png").text
    (out / "p1.txt").unlink()
    assert read_folder(str(scans), str(out), model, formats=formats) == FolderResult(1, 4, 1, ())
    assert read_folder([scans / "p0.png"], out, model, formats=formats, overwrite=True) == FolderResult(1, 4, 0, ())


def test_problems_are_reported_and_do_not_stop_the_others(model: Reader, scans: Path, tmp_path: Path) -> None:
    (scans / "bad.pdf").write_bytes(b"%PDF-1.7 nothing")
    (scans / "cut.png").write_bytes(b"not a picture")
    reported: list[str] = []
    result = read_folder(scans, tmp_path / "out", model, report=reported.append)
    assert (result.num_pages, len(result.problems)) == (2, 2) and reported == list(result.problems)
    for problem, name in zip(result.problems, ("bad.pdf", "cut.png"), strict=True):
        assert name in problem
    pages = {page.scan.path.name: page for page in read_pages(scans, model)}
    assert [name for name, page in pages.items() if page.problem] == ["bad.pdf", "cut.png"]
    assert pages["p0.png"].page is not None and len(pages["p0.png"].page.lines) == 4


def test_the_model_decides_how_lines_are_found(scans: Path, tmp_path: Path) -> None:
    model = load("zoo:latin", segmenter=Segmenter(min_height_px=500))
    reported: list[str] = []
    assert read_folder(scans, tmp_path / "out", model, report=reported.append) == FolderResult(2, 0, 0, ())
    assert len(reported) == 2 and "p0.png" in reported[0]


def test_nothing_is_read_if_something_is_wrong(model: Reader, scans: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"formats=.*docx.*alto"):
        read_folder(scans, tmp_path / "out", model, formats=["docx"])
    with pytest.raises(InputError, match=r"formats='txt'"):
        read_folder(scans, tmp_path / "out", model, formats="txt")
    with pytest.raises(InputError, match="there is no scan in this folder"):
        read_folder(tmp_path / "empty", tmp_path / "out", model)
    with pytest.raises(InputError, match="there is no such model"):
        read_folder(scans, tmp_path / "out", "zoo:klingon")
    Image.fromarray(small_page().pixels).save(scans / "p0.jpg")
    with pytest.raises(OutputError, match="would both be written to") as refused:
        read_folder(scans, tmp_path / "out", model)
    assert refused.value.kind == "conflict"
    assert not (tmp_path / "out").exists()


def test_what_is_read_is_never_written_over(model: Reader, scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "p0.txt").write_text("mot\n")
    (out / "p1.json").symlink_to(scans / "p1.png")
    for formats, inputs in ((["txt"], [out / "p0.txt"]), (["json"], [])):
        with pytest.raises(OutputError, match="is read, and would be overwritten"):
            read_folder(scans, out, model, formats=formats, overwrite=True, inputs=inputs)
    assert (out / "p0.txt").read_text() == "mot\n" and (out / "p1.json").is_symlink()


def test_the_package_has_no_other_attributes() -> None:
    with pytest.raises(AttributeError, match="read_books"):
        htr_lightning.read_books  # noqa: B018

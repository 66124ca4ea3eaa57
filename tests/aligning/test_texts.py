"""The texts of pages: files by their names, or one file with page breaks."""

from pathlib import Path

import pytest

from htr_lightning.aligning.texts import find_page_texts, split_pages
from htr_lightning.image.files import DataError
from htr_lightning.image.scan import Scan


@pytest.mark.parametrize(
    ("written", "names", "parts"),
    [
        ("un", [""], ["un"]),
        ("un\ftwo", ["", ""], ["un", "two"]),
        ("un\f\ftrois", ["", "", ""], ["un", "", "trois"]),
        ("un\fdeux\f\n", ["", ""], ["un", "deux"]),
        ("=== a ===\nun\n=== b.jpg ===\ndeux", ["a", "b.jpg"], ["\nun\n", "\ndeux"]),
        ("un\n===\ndeux", ["", ""], ["un\n", "\ndeux"]),
        ("===\nun\n===\ndeux\n", ["", ""], ["\nun\n", "\ndeux\n"]),
    ],
)
def test_pages_are_split(written: str, names: list[str], parts: list[str]) -> None:
    assert split_pages(written) == (names, parts)


def find(path: Path, scans: list[Scan]) -> tuple[list[str | None], list[str]]:
    reported: list[str] = []
    texts = find_page_texts(path, scans, [Path("sub")] * len(scans), reported.append)
    return [None if text is None else text.read() for text in texts], reported


def test_files_are_found_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.txt", "sub/a.txt", "book_0002.txt", "c.gt.txt", "z.txt"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    scans = [Scan(Path("a.jpg")), Scan(Path("book.pdf"), 2), Scan(Path("c.png")), Scan(Path("d.png"))]
    texts, reported = find(tmp_path, scans)
    assert texts == ["sub/a.txt", "book_0002.txt", "c.gt.txt", None]
    assert len(reported) == 2 and "d.png" in reported[0] and "z.txt" in reported[1] and "2 texts" in reported[1]


def test_one_file_by_order_or_by_name(tmp_path: Path) -> None:
    scans = [Scan(Path("a.jpg")), Scan(Path("b.jpg"))]
    path = tmp_path / "all.txt"
    path.write_text("un\fdeux", encoding="utf-8")
    assert find(path, scans) == (["un", "deux"], [])
    path.write_text("=== b ===\ndeux\n=== x ===\n", encoding="utf-8")
    texts, reported = find(path, scans)
    assert texts == [None, "\ndeux\n"] and "a.jpg" in reported[0] and "page x" in reported[1]


def test_another_number_of_page_breaks(tmp_path: Path) -> None:
    path = tmp_path / "all.txt"
    path.write_text("un\fdeux\ftrois", encoding="utf-8")
    with pytest.raises(DataError, match=r"3 texts.*2 pages") as caught:
        find(path, [Scan(Path("a.jpg")), Scan(Path("b.jpg"))])
    assert caught.value.kind == "page_breaks" and caught.value.file == path


def test_no_text_has_the_name_of_a_page(tmp_path: Path) -> None:
    (tmp_path / "z.txt").write_text("un", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.txt") as caught:
        find(tmp_path, [Scan(Path("a.jpg"))])
    assert caught.value.kind == "missing"


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("été".encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8") as caught:
        find(tmp_path, [Scan(Path("a.jpg"))])
    assert caught.value.kind == "encoding"

"""Formats are told from the root element of a file."""

from pathlib import Path

import pytest
from helpers.layouts import alto_xml, page_xml, text_line

from htr_lightning.image.files import DataError
from htr_lightning.layout.formats import FORMATS, TITLES, detect_format, is_layout_file, read_layout

LINES = [text_line("l1", "text")]
CONTENTS = {"alto": alto_xml(LINES), "page_xml": page_xml(LINES)}


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_detected_and_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(CONTENTS[name], encoding="utf-8")
    assert detect_format(path) == name and is_layout_file(path)
    page = read_layout(path)
    assert page.path == path and [line.text for line in page.lines] == ["text"]


def test_every_format_has_a_title() -> None:
    assert TITLES == {"alto": "ALTO", "page_xml": "PAGE"} and TITLES.keys() == FORMATS.keys()


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text("<html/>")
    for read in (detect_format, read_layout):
        with pytest.raises(DataError, match="neither ALTO nor PAGE, as its root element is 'html'") as error:
            read(path)
        assert (error.value.kind, error.value.file) == ("unknown_format", path)
    assert not is_layout_file(path)


def test_a_damaged_file_counts_as_a_layout_so_that_reading_it_tells(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(CONTENTS["alto"][:100])
    assert is_layout_file(path)
    with pytest.raises(DataError) as error:
        read_layout(path)
    assert error.value.kind == "damaged"

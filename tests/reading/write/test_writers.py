import dataclasses
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from helpers.predicted_pages import build_line, build_page, build_region, build_sample_page

from htr_lightning.errors import InputError
from htr_lightning.reading.write import writers
from htr_lightning.reading.write.writers import PAGE_WRITERS, PageWriter, register_page_writer, write_txt

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BEGINNINGS = {
    "alto": b"<?xml",
    "page": b"<?xml",
    "hocr": b"<?xml",
    "json": b'{"format"',
    "txt": b"Le b<o>n",
    "csv": b"Le b<o>n",
    "pdf": b"%PDF",
}


@pytest.mark.parametrize("name", PAGE_WRITERS)
def test_every_format_writes_the_sample_page_and_the_empty_one(name: str) -> None:
    pixels = np.zeros((80, 100), np.uint8)
    page = dataclasses.replace(build_sample_page(), pixels=pixels)
    written = PAGE_WRITERS[name].write(page, NOW)
    assert written.startswith(BEGINNINGS[name]) and written == PAGE_WRITERS[name].write(page, NOW)
    assert PAGE_WRITERS[name].write(build_page(pixels=pixels), NOW) or name in ("txt", "csv")


def test_all_formats_can_stand_in_one_folder() -> None:
    suffixes = [output.suffix for output in PAGE_WRITERS.values()]
    assert len(set(suffixes)) == len(suffixes) and all(suffix.startswith(".") for suffix in suffixes)
    assert set(PAGE_WRITERS) == set(BEGINNINGS)


def test_plain_text() -> None:
    assert write_txt(build_sample_page()).decode() == "Le b<o>n «roi» & l’œuf\ndit ŭ Ω ж\n\nsans mots\n\n\n\n\n"
    assert write_txt(build_page()) == b""
    assert write_txt(build_page(build_region("r", build_line("l", "a\x00\ud800")))) == "a\ufffd\ufffd\n".encode()


@pytest.fixture
def own_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Formats that are registered go away again."""
    monkeypatch.setattr(writers, "PAGE_WRITERS", PAGE_WRITERS)
    for name in set(PAGE_WRITERS) - set(BEGINNINGS):
        monkeypatch.delitem(PAGE_WRITERS, name)
    monkeypatch.setitem(PAGE_WRITERS, "own", PageWriter("Own", ".own", lambda page, _: page.text.encode()))


def test_a_format_of_ones_own(own_formats: None) -> None:
    register_page_writer("own", PAGE_WRITERS["own"])  # the module may be imported again
    assert PAGE_WRITERS["own"].write(build_sample_page(), NOW).startswith(b"Le b<o>n")


@pytest.mark.parametrize(
    ("name", "suffix", "write", "message"),
    [
        ("alto", ".a", lambda page, _: b"", "--format=alto|--format alto: there is a format of this name"),
        ("new", ".xml", lambda page, _: b"", r"suffix '\.xml' of alto"),
        ("new", "xml", lambda page, _: b"", "suffix 'xml'"),
        ("new", ".n", lambda page: b"", "fails on an empty page .*TypeError"),
        ("new", ".n", lambda page, _: "text", "returns str, not bytes"),
        ("new", ".n", None, "fails on an empty page"),
    ],
)
def test_formats_that_do_not_fit(own_formats: None, name: str, suffix: str, write: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        register_page_writer(name, PageWriter("New", suffix, write))
    assert "new" not in PAGE_WRITERS

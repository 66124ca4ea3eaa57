import dataclasses
import io
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from helpers.layouts import points
from helpers.predicted_pages import build_line, build_outline, build_page, build_region, build_sample_page
from hypothesis import given, settings
from hypothesis import strategies as st

from htr_lightning.decode.positions import Outline, Word
from htr_lightning.reading.page import PredictedLine, PredictedPage
from htr_lightning.reading.write.pdf import join_pdfs, write_pdf
from htr_lightning.reading.write.pdf_objects import format_date

GRAY = np.full((800, 1000), 90, np.uint8)
GRAY[100:200, 300:500] = 220
LETTERS = "aZ0’œŭéßΩжя&<(\\)𝔐«"


def with_pixels(page: PredictedPage, pixels: np.ndarray[Any, Any] = GRAY) -> PredictedPage:
    return dataclasses.replace(page, pixels=pixels)


def text_of(pdf: bytes, page: int = 0) -> str:
    return str(pypdfium2.PdfDocument(pdf)[page].get_textpage().get_text_range()).replace("\r\n", "\n")


def boxes(pdf: bytes, dpi: float = 300) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Return the words of the first page with left, top, right and bottom in px."""
    page = pypdfium2.PdfDocument(pdf)[0]
    text, height, words = page.get_textpage(), page.get_height(), []
    word: list[tuple[str, tuple[float, ...]]] = []
    for number in range(text.count_chars()):
        character = text.get_text_range(number, 1)
        if character.strip():
            left, bottom, right, top = text.get_charbox(number)
            word.append((character, (left, height - top, right, height - bottom)))
        if word and (not character.strip() or number + 1 == text.count_chars()):
            edges = np.array([box for _, box in word]) * dpi / 72
            box = (*edges[:, :2].min(0), *edges[:, 2:].max(0))
            words.append(("".join(c for c, _ in word), tuple(round(float(x), 1) for x in box)))
            word = []
    return words  # type: ignore[return-value]


def test_text_is_found_as_it_was_read() -> None:
    pdf = write_pdf([with_pixels(build_sample_page())])
    assert text_of(pdf) == "Le b<o>n «roi» & l’œuf\ndit ŭ Ω ж\nsans mots"


def test_words_are_where_they_are_written() -> None:
    line = build_line("l", "le roi a", 100, 50)
    words = boxes(write_pdf([with_pixels(build_page(build_region("r", line)))]))
    assert [word for word, _ in words] == ["le", "roi", "a"]
    for (_, (left, top, right, bottom)), word in zip(words, line.words, strict=True):
        (x, y), _, (x_end, y_end), _ = word.outline
        assert (left, right) == pytest.approx((x, x_end), abs=0.5)
        assert (top, bottom) == pytest.approx((y, y_end), abs=1)  # the baseline is a fifth above the words' lower edge


def test_words_on_a_slope_and_on_a_curve() -> None:
    line = build_line("l", "le roi", 200, 50, slope=-0.5)
    for (_, (left, top, right, bottom)), word in zip(
        boxes(write_pdf([with_pixels(build_page(build_region("r", line)))])), line.words, strict=True
    ):
        middle = np.mean(word.outline, axis=0)
        assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx(tuple(middle), abs=6)
    curve = points(0, 300, 100, 330, 200, 300)
    words = (
        Word("a", 1, 0, 1, build_outline(20, 60, 290, 0, 0.3)),
        Word("b", 1, 0, 1, build_outline(120, 160, 332, 0, -0.3)),
    )
    ((_, first), (_, second)) = boxes(
        write_pdf(
            [with_pixels(build_page(build_region("r", PredictedLine("l", "a b", 1, baseline=curve, words=words))))]
        )
    )
    assert first[0] < 30 and 50 < first[2] < 75 and first[1] > 270 and second[3] < 340


def test_lines_that_run_upwards() -> None:
    turned: Outline = ((100, 300), (100, 200), (130, 200), (130, 300))
    line = PredictedLine("l", "abcd", 1, words=(Word("abcd", 1, 0, 1, turned),), baseline=points(124, 300, 124, 200))
    ((word, (left, top, right, bottom)),) = boxes(write_pdf([with_pixels(build_page(build_region("r", line)))]))
    assert word == "abcd" and (left, top, right, bottom) == pytest.approx((100, 200, 130, 300), abs=1)


def test_lines_without_words_fill_their_outline() -> None:
    whole = build_line("a", "sans mots", 100, 50, words=(), characters=())
    words = boxes(write_pdf([with_pixels(build_page(build_region("r", whole)))]))
    assert (words[0][1][0], words[1][1][2]) == pytest.approx((46, 162), abs=0.5)
    without = PredictedLine("b", "ligne", baseline=points(10, 400, 110, 400)), PredictedLine("c", "nulle part")
    ((word, (left, _, right, bottom)),) = boxes(write_pdf([with_pixels(build_page(build_region("r", *without)))]))
    assert word == "ligne" and (left, right, bottom) == pytest.approx((10, 110, 408), abs=2)


def test_words_without_width_do_no_harm() -> None:
    flat: Outline = ((50, 100), (50, 100), (50, 100), (50, 100))
    for baseline in (points(), points(50, 100, 50, 100), points(50, 100, 60, 100)):
        line = PredictedLine(
            "l", "a b", 1, words=(Word("a", 1, 0, 1, flat), Word("b", 1, 0, 1, flat)), baseline=baseline
        )
        text = text_of(write_pdf([with_pixels(build_page(build_region("r", line)))]))
        assert "".join(text.split()) == "ab"


@pytest.mark.parametrize("shape", [(800, 1000), (800, 1000, 3), (400, 500)])
def test_the_image_is_seen_and_the_text_is_not(shape: tuple[int, ...]) -> None:
    pixels = np.full(shape, 90, np.uint8)
    pixels[: shape[0] // 2] = 220
    page = pypdfium2.PdfDocument(write_pdf([with_pixels(build_sample_page(), pixels)]))[0]
    assert page.get_size() == pytest.approx((240, 192))
    drawn = page.render(scale=1).to_numpy()
    assert np.abs(drawn[:90].astype(int) - 220).max() < 4 and np.abs(drawn[100:].astype(int) - 90).max() < 4


def test_documents_of_several_pages(tmp_path: Path) -> None:
    pages = [with_pixels(build_page(build_region("r", build_line("l", text)))) for text in ("un", "deux ŭ", "trois Ω")]
    pdf = write_pdf(iter(pages), datetime(2026, 1, 2, tzinfo=UTC), dpi=150)
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) == 3 and [text_of(pdf, page) for page in range(3)] == ["un", "deux ŭ", "trois Ω"]
    assert document[0].get_size() == pytest.approx((480, 384))
    assert document.get_metadata_value("Title") == "scan 1.jpg"
    assert document.get_metadata_value("CreationDate") == "D:20260102000000+00'00'"
    parts = [tmp_path / f"{number}.pdf" for number in range(3)]
    for part, page in zip(parts, pages, strict=True):
        part.write_bytes(write_pdf([page]))
    joined = io.BytesIO()
    join_pdfs(parts, joined)
    assert [text_of(joined.getvalue(), page) for page in range(3)] == ["un", "deux ŭ", "trois Ω"]
    parts[1].write_bytes(b"")
    with pytest.raises(OSError, match="pages cannot be joined"):
        join_pdfs(parts, io.BytesIO())
    assert (
        write_pdf(pages) == write_pdf(pages) and len(pypdfium2.PdfDocument(write_pdf([with_pixels(build_page())]))) == 1
    )


def test_the_same_image_is_not_kept_larger_than_asked() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (800, 1000), np.uint8)
    page = with_pixels(build_sample_page(), noise)
    assert len(write_pdf([page], quality=30)) < len(write_pdf([page], quality=90)) / 2


def test_without_pixels_there_is_no_pdf() -> None:
    with pytest.raises(ValueError, match=r"scan 1\.jpg: .*; keep the pixels"):
        write_pdf([build_sample_page()])


def test_dates() -> None:
    when = datetime(2026, 1, 2, 3, 4, 5)
    assert format_date(when) == "(D:20260102030405)"
    assert format_date(when.replace(tzinfo=timezone(timedelta(hours=-3, minutes=-30)))) == "(D:20260102030405-03'30')"


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(st.sampled_from(LETTERS), min_size=1, max_size=6), min_size=1, max_size=5))
def test_any_words_are_found(words: list[str]) -> None:
    line = build_line("l", " ".join(words), 300)
    small = np.zeros((8, 10), np.uint8)
    assert text_of(write_pdf([with_pixels(build_page(build_region("r", line)), small)])).split() == words

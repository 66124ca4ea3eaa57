"""Texts from right to left, which lines show in visual order."""

import numpy as np
import pytest
from helpers.aligned import make_frames
from hypothesis import given
from hypothesis import strategies as st

from htr_lightning.aligning.align import align_text
from htr_lightning.aligning.cuts import build_cuttable_text
from htr_lightning.aligning.frame_order import drop_inner_cuts, order_by_frames
from htr_lightning.charset import Charset
from htr_lightning.directions.bidi import to_visual

HEBREW = (
    "בשנת 1492 יצאנו מן העיר (לפנות ערב)",
    "עם לחם ושתי מנורות אל הדרך הארוכה",
    "אמר לי Martin Luther כי ירד גשם",
    'ושר לילדי הכפר עד 12.5 בלילה, "טוב".',
)
ARABIC = ("خرجنا من البيت قبل الفجر سنة ١٤٩٢", "ومعنا خبز ومصباحان (وكلب)", "وكان الطريق طويلا 37 ميلا")
MIXED = ("He said שלום לך to all of us", "and wrote 12 lines of (עברית) there", "before the rain came down")


@pytest.mark.parametrize("lines", [HEBREW, ARABIC, MIXED], ids=["Hebrew", "Arabic", "Latin"])
@pytest.mark.parametrize("direction", ["auto", "given"])
@pytest.mark.parametrize("joined", ["\n", " "], ids=["line breaks", "one paragraph"])
def test_a_text_of_two_directions_is_cut_into_its_lines(lines: tuple[str, ...], direction: str, joined: str) -> None:
    base = "auto" if direction == "auto" else "ltr" if lines is MIXED else "rtl"
    charset = Charset.from_texts(lines, direction=base)  # type: ignore[arg-type]
    frames = [make_frames(line, 0.15, seed, charset) for seed, line in enumerate(lines)]
    alignment = align_text(frames, joined.join(lines), charset)
    assert tuple(line.text for line in alignment.lines) == lines
    assert not alignment.unplaced
    assert min(line.confidence for line in alignment.lines) > 0.5


def test_invisible_marks_of_direction_do_not_count() -> None:
    charset = Charset.from_texts(HEBREW, direction="auto")
    frames = [make_frames(line, charset=charset) for line in HEBREW]
    alignment = align_text(frames, " ".join(f"\u202b{line}\u200f\u202c" for line in HEBREW), charset)
    assert tuple(line.text for line in alignment.lines) == HEBREW


def test_a_hyphen_at_the_end_of_a_line_is_on_its_left() -> None:
    lines = ("הלכנו כל היום אל הרים הגבו-", "הים ולא נחנו עד הערב")
    charset = Charset.from_texts(lines, direction="rtl")
    alignment = align_text(
        [make_frames(line, charset=charset) for line in lines], "".join(lines).replace("-", ""), charset
    )
    assert tuple(line.text for line in alignment.lines) == lines


def test_a_number_is_not_cut() -> None:
    text = build_cuttable_text("אב a b c גד")
    assert text.num_cuts > drop_inner_cuts(text, "rtl").num_cuts
    kept = drop_inner_cuts(text, "rtl")
    assert [kept.characters[:end] for end in kept.ends] == ["", "א", "אב", "אב a b c", "אב a b c ג", "אב a b c גד"]
    assert drop_inner_cuts(text, None) is text


@given(st.text(st.sampled_from("אבab 12().-")))
def test_texts_are_shown_as_lines_show_them(text: str) -> None:
    for base in ("ltr", "rtl"):
        shown, places = order_by_frames(text, base)  # type: ignore[arg-type]
        assert sorted(places.tolist()) == list(range(len(text)))
        assert (shown[::-1] if base == "rtl" else shown) == to_visual(text, base)  # type: ignore[arg-type]
    assert order_by_frames(text, None)[0] == text
    assert np.array_equal(order_by_frames(text, None)[1], np.arange(len(text)))

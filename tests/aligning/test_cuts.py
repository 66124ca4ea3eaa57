"""Where the text of a page may be divided."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htr_lightning.aligning.cuts import CutKind, build_cuttable_text, clean_page_text


def cuts_of(text: str) -> dict[str, CutKind]:
    """Return what stands on both sides of each inner cut, with its kind."""
    cuttable = build_cuttable_text(text)
    characters = cuttable.characters
    return {
        f"{characters[:end]}|{characters[start:]}": CutKind(kind)
        for end, start, kind in zip(
            cuttable.ends[1:-1].tolist(), cuttable.starts[1:-1].tolist(), cuttable.kinds[1:-1].tolist(), strict=True
        )
    }


def test_the_kinds_of_cuts() -> None:
    assert cuts_of("un an\nl'a") == {
        "u|n an l'a": CutKind.WORD,
        "un|an l'a": CutKind.SPACE,
        "un a|n l'a": CutKind.WORD,
        "un an|l'a": CutKind.BREAK,
        "un an l'|a": CutKind.WORD,
    }
    assert cuts_of("a-b 12") == {"a-|b 12": CutKind.HYPHEN, "a-b|12": CutKind.SPACE}


def test_a_combining_mark_stays_with_its_letter() -> None:
    assert all("|\u0304" not in place for place in cuts_of("x\u0304y"))


def test_scripts_without_spaces_may_be_divided_anywhere() -> None:
    assert cuts_of("手写") == {"手|写": CutKind.SPACE}


@pytest.mark.parametrize(
    ("written", "cleaned"),
    [
        ("\ufeffun  an\r\n\r\n deux\t", "un an\ndeux"),
        ("vou\u00ad\nloir", "vou-\nloir"),
        ("vou\u00adloir", "vouloir"),
        ("e\u0301te\u0301", "été"),
        ("a\u00a0b\u2028c", "a b\nc"),
        (" \n\t", ""),
    ],
)
def test_texts_are_cleaned(written: str, cleaned: str) -> None:
    assert clean_page_text(written) == cleaned


def test_line_breaks_are_counted_on_both_sides_of_a_cut() -> None:
    text = build_cuttable_text("a b\nc d\ne")
    assert text.num_breaks == 4  # two, and both ends
    place = text.ends.tolist().index(3)
    assert (text.breaks_before_end[place], text.breaks_before_start[place]) == (0, 1)
    assert (text.breaks_before_end[-1], text.breaks_before_start[0]) == (2, 0)


@given(st.text(st.sampled_from("abé -'1\n=¬"), min_size=1, max_size=40))
def test_any_two_cuts_divide_a_text_into_its_characters(written: str) -> None:
    text = build_cuttable_text(written)
    pieces = [text.get_text(cut, cut + 1) for cut in range(text.num_cuts - 1)]
    assert "".join(pieces) == text.characters.replace(" ", "") or not text.characters
    assert (np.diff(text.ends) >= 0).all() and (text.starts >= text.ends).all()
    twice = text.reverse().reverse()
    for name in ("ends", "starts", "kinds", "breaks_before_end", "breaks_before_start"):
        assert np.array_equal(getattr(twice, name), getattr(text, name))
    assert twice.characters == text.characters

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htr_lightning.data.sources.markup import MarkupRules
from htr_lightning.image.files import DataError
from htr_lightning.layout.page import Span
from htr_lightning.text import clean_text


@pytest.mark.parametrize(
    ("actions", "text"),
    [({}, "the old new house"), ({"strikethrough": "delete"}, "the new house"), ({"strikethrough": "drop_line"}, None)],
)
def test_what_becomes_of_a_marked_span(actions: dict[str, str], text: str | None) -> None:
    assert MarkupRules(actions, [], []).apply("the old new house", [Span(4, 3, "strikethrough")]) == text


def test_spans_overlap_and_reach_beyond_the_text() -> None:
    spans = [Span(0, 4, "gap"), Span(2, 5, "gap"), Span(9, 50, "unclear"), Span(70, 2, "gap")]
    assert MarkupRules({"gap": "delete", "unclear": "delete"}, [], []).apply("abcdefghijkl", spans) == "hi"


def test_markers_in_the_text_are_replaced_one_after_the_other() -> None:
    markup = MarkupRules({}, [[">[^<]*<", ""], [r"\[(\w+)\?\]", r"\1"]], [])
    assert markup.apply("de la>s< fusion  [des?] centers") == "de la fusion des centers"


def test_expressions_may_have_flags_and_groups() -> None:
    assert MarkupRules({}, [["(?i)FOO", "bar"], [r"(b)(a)r", r"\2\1"]], []).apply("a foo") == "a ab"


def test_lines_are_dropped_by_their_final_text() -> None:
    markup = MarkupRules({}, [["<gap/>", ""]], ["wikitexte_", "^[0-9]+$"])
    assert markup.apply("<gap/> 12") is None and markup.apply("wikitexte_0004") is None
    assert markup.apply("12 ans") == "12 ans"


def test_nothing_left_is_no_line() -> None:
    assert MarkupRules({"strikethrough": "delete"}, [], []).apply("all", [Span(0, 3, "strikethrough")]) is None
    assert MarkupRules({}, [], []).apply("  ") is None


@given(st.text(), st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20))))
def test_without_actions_only_whitespace_changes(text: str, places: list[tuple[int, int]]) -> None:
    expected = clean_text(text)
    if expected.endswith("\xad"):  # a soft hyphen at the end of a line is one that was written
        expected = expected.rstrip("\xad") + "-"
    assert MarkupRules({}, [], []).apply(text, [Span(a, n, "unclear") for a, n in places]) == (expected or None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"gap": "remove"}, [], []), r"dataset\.spans\.gap=remove: .*choose from keep, delete, drop_line"),
        (({}, [["(", ""]], []), r"dataset\.replace: '\(' is not a regular expression"),
        (({}, [["a", r"\2"]], []), r"dataset\.replace: '\\\\2' cannot replace matches of 'a'"),
        (({}, ["ab"], []), r"dataset\.replace: 'ab' is not a pair"),
        (({}, [], ["["]), r"dataset\.drop_text: '\[' is not a regular expression"),
    ],
)
def test_settings_that_cannot_be(arguments: tuple[dict[str, str], list[list[str]], list[str]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        MarkupRules(*arguments)

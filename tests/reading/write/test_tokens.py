import dataclasses

import pytest
from helpers.predicted_pages import build_line, build_outline
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from htr_lightning.reading.write.tokens import sanitize, split_tokens, split_words


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a\tb\nc\r œ𝔐\u00a0\u200d\ue000\ufffd", "a\tb\nc\r œ𝔐\u00a0\u200d\ue000\ufffd"),
        ("a\x00b\x0b\x1f", "a\ufffdb\ufffd\ufffd"),
        ("\ud835x\udd10\ufffe\uffff", "\ufffdx\ufffd\ufffd\ufffd"),
        ("\x7f\x85", "\x7f\x85"),
    ],
)
def test_what_xml_cannot_hold_is_replaced(text: str, written: str) -> None:
    assert sanitize(text) == written


@given(st.text(st.characters()))
def test_every_sanitized_text_survives_xml(text: str) -> None:
    element = etree.Element("a", b=sanitize(text))
    element.text = sanitize(text)
    read = etree.fromstring(etree.tostring(element))
    assert read.get("b") == sanitize(text) and (read.text or "") == sanitize(text) and len(sanitize(text)) == len(text)


@given(st.text(st.sampled_from("ab  \x00"), max_size=9))
def test_tokens_joined_are_the_text(text: str) -> None:
    line = build_line("l", text)
    tokens = split_tokens(line)
    assert " ".join(token.text for token in tokens) == sanitize(text)
    assert [token.text for token in split_words(line)] == [part for part in sanitize(text).split(" ") if part]
    for token in tokens:
        assert "".join(sanitize(c.text) for c in token.characters) == token.text
        assert (token.outline is None) == (not token.text)


def test_tokens_have_positions() -> None:
    a, b = split_tokens(build_line("l", "un  b"))[::2]
    assert (a.outline, a.space, a.confidence) == (build_outline(0, 24), build_outline(24, 36), 0.75)
    assert (b.outline, b.space) == (build_outline(48, 60), None)


def test_without_words_of_the_text_a_line_is_one_token() -> None:
    line = build_line("l", "un deux")
    for other in (
        dataclasses.replace(line, words=()),
        dataclasses.replace(line, words=line.words[:1]),
        dataclasses.replace(line, text="un  trois"),
    ):
        (token,) = split_tokens(other)
        assert (token.text, token.confidence, token.outline) == (other.text, 0.625, None)
        assert [(word.text, word.confidence) for word in split_words(other)] == [(t, None) for t in other.text.split()]
    (first, _) = split_tokens(dataclasses.replace(line, characters=line.characters[1:]))
    assert first.outline and not first.characters
    assert split_tokens(build_line("l", "")) == []

import dataclasses

import pytest
from helpers.read_pages import place, read_line
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from htr_lightning.reading.write.pieces import legal, pieces, words


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
    assert legal(text) == written


@given(st.text(st.characters()))
def test_every_text_becomes_legal(text: str) -> None:
    element = etree.Element("a", b=legal(text))
    element.text = legal(text)
    read = etree.fromstring(etree.tostring(element))
    assert read.get("b") == legal(text) and (read.text or "") == legal(text) and len(legal(text)) == len(text)


@given(st.text(st.sampled_from("ab  \x00"), max_size=9))
def test_pieces_joined_are_the_text(text: str) -> None:
    line = read_line("l", text)
    found = pieces(line)
    assert " ".join(piece.text for piece in found) == legal(text)
    assert [piece.text for piece in words(line)] == [part for part in legal(text).split(" ") if part]
    for piece in found:
        assert "".join(legal(c.text) for c in piece.characters) == piece.text
        assert (piece.outline is None) == (not piece.text)


def test_pieces_know_their_places() -> None:
    a, b = pieces(read_line("l", "un  b"))[::2]
    assert (a.outline, a.space, a.confidence) == (place(0, 24), place(24, 36), 0.75)
    assert (b.outline, b.space) == (place(48, 60), None)


def test_without_words_of_the_text_a_line_is_one_piece() -> None:
    line = read_line("l", "un deux")
    for other in (
        dataclasses.replace(line, words=()),
        dataclasses.replace(line, words=line.words[:1]),
        dataclasses.replace(line, text="un  trois"),
    ):
        (piece,) = pieces(other)
        assert (piece.text, piece.confidence, piece.outline) == (other.text, 0.625, None)
        assert [(word.text, word.confidence) for word in words(other)] == [(t, None) for t in other.text.split()]
    (first, _) = pieces(dataclasses.replace(line, characters=line.characters[1:]))
    assert first.outline and not first.characters
    assert pieces(read_line("l", "")) == []

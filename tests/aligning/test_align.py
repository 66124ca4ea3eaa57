"""Texts cut into the lines that a recognizer read."""

import itertools

import numpy as np
import pytest
from helpers.aligned import CHARSET, make_frames

from htr_lightning.aligning.align import TextAlignment, align_text
from htr_lightning.aligning.lattice import LineFrames
from htr_lightning.aligning.orders import order_by_columns

PAGE = (
    "Nous avons quitte la maison avant le jour",
    "avec du pain deux lampes et le vieux chien",
    "La route etait longue mais personne ne vou-",
    "lait dormir. A midi le vent tourna vers nous",
    "Mon frere disait que la pluie viendrait",
    "et il chantait pour les enfants du village",
)


def align(text: str, lines: tuple[str, ...] = PAGE, errors: float = 0.0) -> TextAlignment:
    frames = [make_frames(line, errors, seed) for seed, line in enumerate(lines)]
    return align_text(frames, text, CHARSET)


def texts_of(alignment: TextAlignment) -> tuple[str, ...]:
    return tuple(line.text for line in alignment.lines)


@pytest.mark.parametrize("errors", [0.0, 0.2, 0.35])
@pytest.mark.parametrize(
    "text",
    [
        "\n".join(PAGE),
        " ".join(PAGE),
        " ".join(PAGE).replace("vou- lait", "voulait"),
        " ".join(PAGE).replace(" avec", "\navec ").replace(" chien La", " chien\n\nLa"),
    ],
    ids=["line breaks", "one paragraph", "hyphens joined", "other line breaks"],
)
def test_a_text_is_cut_into_its_lines(text: str, errors: float) -> None:
    alignment = align(text, errors=errors)
    wrong = [
        (want, got) for want, got in zip(PAGE, texts_of(alignment), strict=True) if want.strip("-") != got.strip("-")
    ]
    assert len(wrong) <= (2 if errors > 0.3 else 0), wrong  # two lines share an end that is in the wrong place
    assert errors or texts_of(alignment) == PAGE  # with the hyphen that the line shows
    assert not alignment.unplaced


def test_line_breaks_of_the_text_are_noticed() -> None:
    assert align("\n".join(PAGE)).follows_breaks
    moved = " ".join(PAGE).split()
    assert not align("\n".join(" ".join(moved[n : n + 4]) for n in range(0, len(moved), 4))).follows_breaks


def test_line_breaks_decide_where_nothing_is_read() -> None:
    lines = ("un deux trois", "quatre cinq six", "sept huit neuf", "dix onze douze")
    blurred = [make_frames(line) for line in lines]
    for frames in blurred[1:3]:  # the words at the seam of two lines cannot be read
        frames.log_probs[:] = np.log(1 / CHARSET.num_classes)
    assert texts_of(align_text(blurred, "\n".join(lines), CHARSET)) == lines


def test_hyphens_inside_a_line_are_left_out_where_the_line_has_none() -> None:
    lines = ("il voulait dormir", "un porte-plume neuf")
    text = "il vou-\nlait dormir un porte-\nplume neuf"
    assert texts_of(align(text, lines)) == lines


def test_lines_without_text_and_text_without_line() -> None:
    lines = ("417", *PAGE[:3], "xqzk wvvq jjkx", *PAGE[3:])
    missing = "Ici manque une phrase entiere de la page."
    text = " ".join(["Lettre a mon frere.", *PAGE[:4], missing, *PAGE[4:]])
    alignment = align(text, lines)
    assert texts_of(alignment) == ("", *PAGE[:3], "", *PAGE[3:])
    assert alignment.unplaced == ("Lettre a mon frere.", missing)


def test_parts_in_another_order() -> None:
    lines = (*PAGE[4:], *PAGE[:4])
    assert texts_of(align(" ".join(PAGE), lines)) == lines


def test_a_table_may_be_transcribed_column_by_column() -> None:
    columns = (("565", "566", "567", "568"), ("18", "18", "20", "20"), ("Vente", "Bail", "Depot", "Procuration"))
    rows = [cell for row in zip(*columns, strict=True) for cell in row]
    text = " ".join(cell for column in columns for cell in column)
    places = np.array([(100.0 * (n % 3), 50.0 * (n // 3)) for n in range(len(rows))])
    order = order_by_columns(places, 400)
    alignment = align_text([make_frames(cell) for cell in rows], text, CHARSET, orders=[order])
    assert [line.text for line in alignment.lines] == rows
    assert order_by_columns(places[::3], 400) == [0, 1, 2, 3] and order_by_columns(places[:0], 400) == []


def test_the_same_text_twice_stays_in_order() -> None:
    lines = (PAGE[0], "Idem", PAGE[1], "Idem", PAGE[4])
    alignment = align(" ".join(lines), lines)
    assert texts_of(alignment) == lines
    assert [line.start for line in alignment.lines] == sorted(line.start for line in alignment.lines)


def test_no_part_of_the_text_is_placed_twice() -> None:
    alignment = align(" ".join(PAGE[:3]), (PAGE[0], PAGE[0], PAGE[1], PAGE[2]))
    spans = sorted((line.start, line.end) for line in alignment.lines if line.text)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_the_text_of_another_page_is_uncertain() -> None:
    other = "Les comptes du moulin furent remis au greffe le lendemain des fetes par le notaire et ses deux clercs"
    assert all(line.confidence < 0.5 for line in align(other).lines)
    assert min(line.confidence for line in align(" ".join(PAGE)).lines) > 0.9


def test_characters_that_the_model_lacks_are_placed() -> None:
    lines = ("la soeur de Zoe", "but une ceuvre")
    assert texts_of(align("la sœur de Zoë but une œuvre", lines)) == ("la sœur de Zoë", "but une œuvre")
    assert len(texts_of(align("日本語 の本", lines))) == 2


@pytest.mark.parametrize("text", ["", " \n\f ", "\ufeff"])
def test_no_text(text: str) -> None:
    alignment = align(text)
    assert set(texts_of(alignment)) == {""} and not alignment.unplaced


def test_no_lines_and_lines_without_frames() -> None:
    assert align_text([], "un mot", CHARSET) == TextAlignment((), ("un mot",))
    empty = LineFrames(np.zeros((0, CHARSET.num_classes), np.float32))
    assert texts_of(align_text([empty, make_frames(PAGE[0])], PAGE[0], CHARSET)) == ("", PAGE[0])


def test_a_short_text_that_is_read_as_something_else_is_never_certain() -> None:
    lines = (*PAGE[:3], "12", *PAGE[3:])
    text = " ".join((*PAGE[:3], "1924", *PAGE[3:]))
    alignment = align(text, lines)
    placed = {line.text: line.confidence for line in alignment.lines}
    assert placed["1924"] < 0.9 < min(confidence for text, confidence in placed.items() if text != "1924")


def test_a_single_line_that_was_transcribed_elsewhere_gets_its_text() -> None:
    lines = ("Lettre 0058", *PAGE)
    frames = [make_frames("Lettne 005", 0.0), *(make_frames(line) for line in PAGE)]
    alignment = align_text(frames, " ".join((*PAGE, "Lettre 0058")), CHARSET)
    assert texts_of(alignment) == lines
    assert 0.5 < alignment.lines[0].confidence < 0.9 < min(line.confidence for line in alignment.lines[1:])
    assert not alignment.unplaced
    elsewhere = align_text([make_frames("Xqz vwk jj"), *frames[1:]], " ".join((*PAGE, "Lettre 0058")), CHARSET)
    assert texts_of(elsewhere) == ("", *PAGE) and elsewhere.unplaced == ("Lettre 0058",)

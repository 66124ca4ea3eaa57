"""Other texts in the lines of a PAGE file.

- Of the main TextEquiv of a line, Unicode and conf are set (conf from 2013 on, when it came); PlainText, which says the
  same in a simpler way, goes, or in files before 2013, which must have it, is set too. Other TextEquivs stay. A line
  without TextEquiv gets one.
- As many Word elements as there are words are set in the same way. Other Words give way to new ones with Coords, or
  go where the places of the words are not known. A line without Words gets none.
- Where the text of a line or word changes, the marks in its ``custom`` that have an offset and a length go, since
  they count the characters of the old text; so do the Glyphs of the word. Where it does not, Glyphs lose their conf.
- The text of a region, or of any other element around lines, is put together again where a line of it has changed.
"""

import re
from collections.abc import Sequence
from typing import Any

from htr_lightning.layout.page_xml import find_main_equivalent, get_line_text, get_word_text, sort_by_index
from htr_lightning.layout.xml import get_local_name, get_namespace
from htr_lightning.reading.page import PredictedLine
from htr_lightning.reading.write.elements import Ids, confidence
from htr_lightning.reading.write.page_xml import equivalent, words
from htr_lightning.reading.write.pieces import legal
from htr_lightning.reading.write.pieces import words as words_of
from htr_lightning.reading.write.whole_pixels import Sheet

_BEFORE_TEXT = ("AlternativeImage", "Coords", "Baseline", "Word", "Graphemes", "Glyph", "TextEquiv")
_FIRST_YEAR = 2013  # of the versions with points in attributes, baselines, confidences


def rewrite_lines(root: Any, pairs: Sequence[tuple[Any, PredictedLine]], sheet: Sheet) -> None:
    """Change the text of TextLine elements.

    Args:
        root: the file's outermost element.
        pairs: elements, and what was read in them.
        sheet: of the page, in the unit of the file.
    """
    year = re.search(r"/(\d{4})-\d\d-\d\d$", get_namespace(root))
    early = year is not None and int(year[1]) < _FIRST_YEAR
    ids = Ids(element.get("id") for element in root.iter("{*}*") if element.get("id"))
    regions: dict[Any, None] = {}
    for line, reading in pairs:
        text = legal(reading.text)
        if text != get_line_text(line):
            _remove_marks(line)
            regions |= dict.fromkeys(line.iterancestors())
        _words(line, reading, sheet, ids, early)
        _set(line, text, reading.confidence, early)
    for region in regions:
        if find_main_equivalent(region) is not None:
            lines = sort_by_index(list(region.iter("{*}TextLine")))
            _set(region, "\n".join(map(get_line_text, lines)), None, early)


def _set(element: Any, text: str, certainty: float | None, early: bool) -> None:
    """Set the main text of an element."""
    main = find_main_equivalent(element)
    if main is None:
        _add(element, text, certainty, early)
        return
    unicode, plain = main.find("{*}Unicode"), main.find("{*}PlainText")
    if "".join(unicode.itertext()) != text:
        _fill(unicode, text)
        if early and plain is not None:
            _fill(plain, text)
    if plain is not None and not early:
        main.remove(plain)
    if certainty is None or early:
        main.attrib.pop("conf", None)
    else:
        main.set("conf", confidence(certainty))


def _add(element: Any, text: str, certainty: float | None, early: bool) -> None:
    """Add a TextEquiv where the schema wants it; the place of one without Unicode is taken."""
    for empty in element.findall("{*}TextEquiv"):
        element.remove(empty)
    added = equivalent(element, text, certainty, early=early)
    before = [child for child in element if get_local_name(child) in _BEFORE_TEXT and child is not added]
    if before:
        added.tail = before[-1].tail
        element.insert(element.index(before[-1]) + 1, added)


def _fill(element: Any, text: str) -> None:
    for child in list(element):
        element.remove(child)
    element.text = text


def _words(line: Any, reading: PredictedLine, sheet: Sheet, ids: Ids, early: bool) -> None:
    old, found = line.findall("{*}Word"), words_of(reading)
    if len(old) == len(found):
        for element, word in zip(old, found, strict=True):
            if get_word_text(element) != word.text:
                _remove_marks(element)
                for glyph in element.findall("{*}Glyph"):
                    element.remove(glyph)
            for written in element.iterfind("{*}Glyph/{*}TextEquiv"):
                written.attrib.pop("conf", None)
            _set(element, word.text, word.confidence, early)
    elif old:
        place, tail = line.index(old[0]), old[-1].tail
        new = list(words(reading, sheet, get_namespace(line), line.get("id", "line"), ids, early=early))
        for element in new:
            element.tail = tail
        for element in old:
            line.remove(element)
        line[place:place] = new


def _remove_marks(element: Any) -> None:
    """Remove the parts of ``custom`` that are about places in the text."""
    if "custom" not in element.attrib:
        return
    parts = re.findall(r"[^{}]*(?:\{[^}]*\}?)?", element.get("custom"))
    kept = "".join(part for part in parts if not re.search(r"[{;]\s*(offset|length)\s*:", part)).strip()
    if kept:
        element.set("custom", kept)
    else:
        del element.attrib["custom"]

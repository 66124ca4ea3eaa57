"""Replace the texts of lines in a PAGE XML file.

- In the main TextEquiv of a line, Unicode and conf are set (conf from 2013 on, when PAGE introduced it). PlainText,
  which repeats the text in a simpler form, is removed; in files before 2013, which require it, it is set too. Other
  TextEquivs stay. A line without TextEquiv gets one.
- If there are as many Word elements as words, they are set in the same way. Otherwise Words are replaced by new ones
  with Coords, or removed if the positions of the words are unknown. A line without Words gets none.
- If the text of a line or word changes, the entries of its ``custom`` that have an offset and a length are removed,
  since they count characters of the old text, and so are the Glyphs of the word. Otherwise Glyphs lose their conf.
- The text of a region, or of any other element around lines, is joined again if one of its lines has changed.
"""

import re
from collections.abc import Sequence
from typing import Any

from htr_lightning.layout.page_xml import find_main_equivalent, get_line_text, get_word_text, sort_by_index
from htr_lightning.layout.xml import get_local_name, get_namespace
from htr_lightning.reading.page import PredictedLine
from htr_lightning.reading.pixel_grid import PixelGrid
from htr_lightning.reading.write.elements import IdAllocator, format_confidence
from htr_lightning.reading.write.page_xml import add_text_equiv, build_words
from htr_lightning.reading.write.tokens import sanitize, split_words

_BEFORE_TEXT_EQUIV = ("AlternativeImage", "Coords", "Baseline", "Word", "Graphemes", "Glyph", "TextEquiv")


def rewrite_lines(root: Any, pairs: Sequence[tuple[Any, PredictedLine]], grid: PixelGrid) -> None:
    """Replace the text of TextLine elements.

    Args:
        root: root element of the file; changed in place.
        pairs: elements with their predictions.
        grid: of the page, in the unit of the file.
    """
    year = re.search(r"/(\d{4})-\d\d-\d\d$", get_namespace(root))
    before_2013 = year is not None and int(year[1]) < 2013
    ids = IdAllocator(element.get("id") for element in root.iter("{*}*") if element.get("id"))
    changed: dict[Any, None] = {}
    for element, line in pairs:
        text = sanitize(line.text)
        if text != get_line_text(element):
            _remove_text_offsets(element)
            changed |= dict.fromkeys(element.iterancestors())
        _rewrite_words(element, line, grid, ids, before_2013)
        _set_text(element, text, line.confidence, before_2013)
    for region in changed:
        if find_main_equivalent(region) is not None:
            lines = sort_by_index(list(region.iter("{*}TextLine")))
            _set_text(region, "\n".join(map(get_line_text, lines)), None, before_2013)


def _set_text(element: Any, text: str, confidence: float | None, before_2013: bool) -> None:
    """Set the main text of an element."""
    main = find_main_equivalent(element)
    if main is None:
        _insert_text_equiv(element, text, confidence, before_2013)
        return
    unicode, plain = main.find("{*}Unicode"), main.find("{*}PlainText")
    if "".join(unicode.itertext()) != text:
        _set_content(unicode, text)
        if before_2013 and plain is not None:
            _set_content(plain, text)
    if plain is not None and not before_2013:
        main.remove(plain)
    if confidence is None or before_2013:
        main.attrib.pop("conf", None)
    else:
        main.set("conf", format_confidence(confidence))


def _insert_text_equiv(element: Any, text: str, confidence: float | None, before_2013: bool) -> None:
    """Insert a TextEquiv where the schema allows it; it replaces those without Unicode."""
    for empty in element.findall("{*}TextEquiv"):
        element.remove(empty)
    new = add_text_equiv(element, text, confidence, before_2013=before_2013)
    before = [child for child in element if get_local_name(child) in _BEFORE_TEXT_EQUIV and child is not new]
    if before:
        new.tail = before[-1].tail
        element.insert(element.index(before[-1]) + 1, new)


def _set_content(element: Any, text: str) -> None:
    for child in list(element):
        element.remove(child)
    element.text = text


def _rewrite_words(element: Any, line: PredictedLine, grid: PixelGrid, ids: IdAllocator, before_2013: bool) -> None:
    old, words = element.findall("{*}Word"), split_words(line)
    if len(old) == len(words):
        for child, word in zip(old, words, strict=True):
            if get_word_text(child) != word.text:
                _remove_text_offsets(child)
                for glyph in child.findall("{*}Glyph"):
                    child.remove(glyph)
            for text_equiv in child.iterfind("{*}Glyph/{*}TextEquiv"):
                text_equiv.attrib.pop("conf", None)
            _set_text(child, word.text, word.confidence, before_2013)
    elif old:
        index, tail = element.index(old[0]), old[-1].tail
        line_id = element.get("id", "line")
        new = list(build_words(line, grid, get_namespace(element), line_id, ids, before_2013=before_2013))
        for child in new:
            child.tail = tail
        for child in old:
            element.remove(child)
        element[index:index] = new


def _remove_text_offsets(element: Any) -> None:
    """Remove the entries of ``custom`` that refer to a range of the text."""
    if "custom" not in element.attrib:
        return
    entries = re.findall(r"[^{}]*(?:\{[^}]*\}?)?", element.get("custom"))
    custom = "".join(entry for entry in entries if not re.search(r"[{;]\s*(offset|length)\s*:", entry)).strip()
    if custom:
        element.set("custom", custom)
    else:
        del element.attrib["custom"]

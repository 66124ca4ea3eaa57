"""Replace the texts of lines in an ALTO file.

- Strings are kept, and their CONTENT and WC are set, if the line has one String or as many as there are words. All
  versions of ALTO have WC (0 to 1, but 0 to 9 in 1.0, of 2004).
- Otherwise Strings, with SP and HYP, are replaced by new ones with boxes; attributes of style and language that all of
  them share are copied.
- A line without String gets one.
- HYP stays if the new text ends in its hyphen; the hyphen is repeated in the String only if it was before.
- If the text of a String changes, its ALTERNATIVE, Glyph, SUBS_TYPE, SUBS_CONTENT and CS are removed, since they
  describe the old text; otherwise the confidences of its characters (CC, GC) are removed.
"""

import re
from typing import Any

from lxml import etree

from htr_lightning.layout.alto import get_hyphen, get_line_text
from htr_lightning.layout.xml import get_local_name, get_namespace
from htr_lightning.reading.page import PredictedLine
from htr_lightning.reading.pixel_grid import PixelGrid
from htr_lightning.reading.write.alto import build_strings
from htr_lightning.reading.write.elements import format_confidence, qualify_name
from htr_lightning.reading.write.tokens import sanitize, split_words

_CONTENT = ("String", "SP", "HYP")
_ABOUT_TEXT = ("SUBS_TYPE", "SUBS_CONTENT", "CS")
_SHAREABLE = ("STYLEREFS", "STYLE", "LANG", "TAGREFS", "PROCESSINGREFS")
_BOX = ("HPOS", "VPOS", "WIDTH", "HEIGHT")


def rewrite_line(element: Any, line: PredictedLine, grid: PixelGrid) -> None:
    """Replace the text of a TextLine element.

    Args:
        element: changed in place.
        line: the prediction.
        grid: of the page, in the unit of the file.
    """
    text, old_text = sanitize(line.text), get_line_text(element)
    strings = element.findall("{*}String")
    words = [(word.text, word.confidence) for word in split_words(line)]
    if not strings:
        if text:
            _add_string(element, text, line.confidence)
    elif len(strings) == 1:
        _set_strings(element, strings, [(text, line.confidence)])
        if get_line_text(element) != text:
            _remove(element.findall("{*}SP") + element.findall("{*}HYP"))
            _set_string(strings[0], text, line.confidence)
    else:
        if len(strings) == len(words):
            _set_strings(element, strings, words)
        if len(strings) != len(words) or get_line_text(element).split() != text.split():
            _replace_strings(element, line, grid)
    if text != old_text:
        element.attrib.pop("CS", None)


def _set_strings(line: Any, strings: list[Any], words: list[tuple[str, float | None]]) -> None:
    """Set the text of Strings, and remove a hyphen after them that the text does not end in."""
    contents, hyphen = [text for text, _ in words], line.find("{*}HYP")
    if hyphen is not None:
        sign = get_hyphen(hyphen)
        if not contents[-1].endswith(sign):
            _remove([hyphen])
        elif not strings[-1].get("CONTENT", "").endswith(sign):
            contents[-1] = contents[-1].removesuffix(sign)
    for string, content, (_, confidence) in zip(strings, contents, words, strict=True):
        _set_string(string, content, confidence)


def _set_string(string: Any, content: str, confidence: float | None) -> None:
    if content != string.get("CONTENT", ""):
        string.set("CONTENT", content)
        _remove([child for child in string if get_local_name(child) in ("ALTERNATIVE", "Glyph")])
        for name in _ABOUT_TEXT:
            string.attrib.pop(name, None)
    string.attrib.pop("CC", None)
    for glyph in string.iterfind("{*}Glyph"):
        glyph.attrib.pop("GC", None)
    if confidence is None:
        string.attrib.pop("WC", None)
    else:
        string.set("WC", format_confidence(confidence))


def _add_string(line: Any, text: str, confidence: float) -> None:
    """Add a String with the box of its line."""
    box = {name: line.get(name) for name in _BOX if line.get(name) is not None}
    name = qualify_name(get_namespace(line), "String")
    string = etree.Element(name, CONTENT=text, WC=format_confidence(confidence), **box)
    _remove(line.findall("{*}SP") + line.findall("{*}HYP"))
    if len(line):
        line[-1].tail, string.tail = line.text, line[-1].tail
    line.append(string)


def _replace_strings(element: Any, line: PredictedLine, grid: PixelGrid) -> None:
    old = [child for child in element if get_local_name(child) in _CONTENT]
    old_strings = [child for child in old if get_local_name(child) == "String"]
    shared = {
        name: old_strings[0].get(name) for name in _SHAREABLE if len({string.get(name) for string in old_strings}) == 1
    }
    namespace = get_namespace(element)
    new = list(build_strings(line, grid, namespace, detailed=_has_glyphs(namespace)))
    for child in new:
        child.tail = old[0].tail
        if get_local_name(child) == "String":
            child.attrib.update({name: value for name, value in shared.items() if value is not None})
    if len(new) == 1 and "HPOS" not in new[0].attrib:
        new[0].attrib.update({name: element.get(name) for name in _BOX if element.get(name) is not None})
    new[-1].tail = old[-1].tail
    index = element.index(old[0])
    _remove(old)
    element[index:index] = new


def _has_glyphs(namespace: str) -> bool:
    """Return whether the version of ALTO with this namespace has Glyph elements: 4 and later."""
    version = re.search(r"/ns-v(\d+)#", namespace)
    return version is not None and int(version[1]) >= 4


def _remove(elements: list[Any]) -> None:
    for element in elements:
        element.getparent().remove(element)

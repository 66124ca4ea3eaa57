"""Other texts in the lines of an ALTO file.

- A line with one String keeps it, as do one with as many Strings as there are words: CONTENT and WC are set. All
  versions have WC (0 to 1, but 0 to 9 in 1.0, of 2004).
- Other Strings, with SP and HYP, give way to new ones with boxes; what all of them say of style and language stays.
- A line without String gets one.
- HYP stays where the new text ends in its hyphen, which then is not said twice if it was not before.
- Where the text of a String changes, its ALTERNATIVE, Glyph, SUBS_TYPE, SUBS_CONTENT and CS go, since they speak of
  the old one; where it does not, its characters lose the confidence they had (CC, GC).
"""

import re
from typing import Any

from lxml import etree

from htr_lightning.layout.alto import get_line_text
from htr_lightning.layout.xml import get_local_name, get_namespace
from htr_lightning.reading.page import PredictedLine
from htr_lightning.reading.write.alto import strings
from htr_lightning.reading.write.elements import confidence, name_in
from htr_lightning.reading.write.pieces import legal, words
from htr_lightning.reading.write.whole_pixels import Sheet

_CONTENT = ("String", "SP", "HYP")
_OF_OLD_TEXT = ("SUBS_TYPE", "SUBS_CONTENT", "CS")
_OF_MANY = ("STYLEREFS", "STYLE", "LANG", "TAGREFS", "PROCESSINGREFS")
_BOX = ("HPOS", "VPOS", "WIDTH", "HEIGHT")


def rewrite_line(line: Any, reading: PredictedLine, sheet: Sheet) -> None:
    """Change the text of a TextLine.

    Args:
        line: the element.
        reading: what was read in it.
        sheet: of the page, in the unit of the file.
    """
    text, before = legal(reading.text), get_line_text(line)
    found = line.findall("{*}String")
    parts = [(word.text, word.confidence) for word in words(reading)]
    if not found:
        if text:
            _add(line, text, reading.confidence)
    elif len(found) == 1:
        _set_all(line, found, [(text, reading.confidence)])
        if get_line_text(line) != text:
            _remove(line.findall("{*}SP") + line.findall("{*}HYP"))
            _set(found[0], text, reading.confidence)
    else:
        if len(found) == len(parts):
            _set_all(line, found, parts)
        if len(found) != len(parts) or get_line_text(line).split() != text.split():
            _replace(line, reading, sheet)
    if text != before:
        line.attrib.pop("CS", None)


def _set_all(line: Any, found: list[Any], parts: list[tuple[str, float | None]]) -> None:
    """Set the text of Strings, and take away a hyphen after them that the text does not end in."""
    contents, hyphen = [text for text, _ in parts], line.find("{*}HYP")
    if hyphen is not None:
        sign = hyphen.get("CONTENT", "")
        if not contents[-1].endswith(sign):
            _remove([hyphen])
        elif not found[-1].get("CONTENT", "").endswith(sign):
            contents[-1] = contents[-1].removesuffix(sign)
    for string, content, (_, certainty) in zip(found, contents, parts, strict=True):
        _set(string, content, certainty)


def _set(string: Any, content: str, certainty: float | None) -> None:
    if content != string.get("CONTENT", ""):
        string.set("CONTENT", content)
        _remove([child for child in string if get_local_name(child) in ("ALTERNATIVE", "Glyph")])
        for name in _OF_OLD_TEXT:
            string.attrib.pop(name, None)
    string.attrib.pop("CC", None)
    for glyph in string.iterfind("{*}Glyph"):
        glyph.attrib.pop("GC", None)
    if certainty is None:
        string.attrib.pop("WC", None)
    else:
        string.set("WC", confidence(certainty))


def _add(line: Any, text: str, certainty: float) -> None:
    """Add a String with the box of its line."""
    box = {name: line.get(name) for name in _BOX if line.get(name) is not None}
    string = etree.Element(name_in(get_namespace(line), "String"), CONTENT=text, WC=confidence(certainty), **box)
    _remove(line.findall("{*}SP") + line.findall("{*}HYP"))
    if len(line):
        line[-1].tail, string.tail = line.text, line[-1].tail
    line.append(string)


def _replace(line: Any, reading: PredictedLine, sheet: Sheet) -> None:
    old = [child for child in line if get_local_name(child) in _CONTENT]
    own = [string for string in old if get_local_name(string) == "String"]
    kept = {name: own[0].get(name) for name in _OF_MANY if len({string.get(name) for string in own}) == 1}
    namespace = get_namespace(line)
    new = list(strings(reading, sheet, namespace, detailed=_has_glyphs(namespace)))
    for element in new:
        element.tail = old[0].tail
        if get_local_name(element) == "String":
            element.attrib.update({name: value for name, value in kept.items() if value is not None})
    if len(new) == 1 and "HPOS" not in new[0].attrib:
        new[0].attrib.update({name: line.get(name) for name in _BOX if line.get(name) is not None})
    new[-1].tail = old[-1].tail
    place = line.index(old[0])
    _remove(old)
    line[place:place] = new


def _has_glyphs(namespace: str) -> bool:
    version = re.search(r"/ns-v(\d+)#", namespace)
    return version is not None and int(version[1]) >= 4


def _remove(elements: list[Any]) -> None:
    for element in elements:
        element.getparent().remove(element)

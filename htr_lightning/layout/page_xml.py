"""PAGE XML (PRImA), 2010 to 2019, as Transkribus, eScriptorium, OCR-D, kraken, LAREX and Aletheia write it."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from htr_lightning.image.files import DataError
from htr_lightning.layout.geometry import parse_page_size, parse_shape
from htr_lightning.layout.names import make_unique_ids, parse_image_name, sort_by_reading_order
from htr_lightning.layout.page import Page, PageLine, Span
from htr_lightning.layout.xml import get_local_name, get_only_element, read_xml

_MEMBERS = ("RegionRef", "OrderedGroup", "UnorderedGroup")


class _Custom(NamedTuple):
    """A part of a ``custom`` attribute: ``name {key:value; ...}``."""

    name: str
    values: dict[str, str]


def read_page_xml(path: Path) -> Page:
    """Read a PAGE file; see `parse_page`.

    Raises:
        DataError: see `htr_lightning.layout.xml.read_xml` and `parse_page`.
    """
    return parse_page(read_xml(path), path)


def matches(root: Any) -> bool:
    """Return whether a parsed file is PAGE, of whatever version."""
    return get_local_name(root) == "PcGts"


def parse_page(root: Any, path: Path) -> Page:
    """Read a parsed file.

    - The text of a line is its TextEquiv with the lowest index, or else the first; if it has no text, the words'
      with spaces between them (of a word without text, the glyphs').
    - Types are what Transkribus' ``custom="structure {type:...;}"`` says, or else the attribute ``type``.
    - Lines follow the index of ``custom="readingOrder {index:...;}"``, or else of the attribute ``index``, if every
      line of the region has one. Regions follow ReadingOrder; without one, that index too. Lines in table cells
      and nested regions come with what they lie in.
    - Marks in ``custom`` that have ``offset`` and ``length`` become spans with the mark's name as tag; ``textStyle``
      becomes one for each of its flags. So do the flags of the line's TextStyle, for all of its text. What reaches
      beyond the text is cut off. A mark of no length stays: it is where a ``gap`` is.

    Args:
        root: the file's outermost element, from `htr_lightning.layout.xml.read_xml`.
        path: of the file.

    Raises:
        DataError: the file is not PAGE, has no page or several, or the page's size is not a number.
    """
    if not matches(root):
        raise DataError(f"{path}: is not PAGE, as its first element is {get_local_name(root)!r}; is it another format?")
    page = get_only_element(root, "Page", path)
    ids = {line: id for id, line in find_text_lines(page).items()}
    found = sort_by_index(list(ids))
    names = [[e.get("id", "") for e in (line, *line.iterancestors())] for line in found]
    lines = [_line(line, ids[line]) for line in found]
    return Page(
        path,
        parse_image_name(page.get("imageFilename", "")),
        parse_page_size(path, page.get("imageWidth"), page.get("imageHeight")),
        tuple(sort_by_reading_order(lines, names, _order(page))),
    )


def find_text_lines(page: Any) -> dict[str, Any]:
    """Return the TextLine elements of a page by their ids, in the order of the file."""
    found = list(page.iter("{*}TextLine"))
    ids = make_unique_ids([line.get("id", "").strip() for line in found])
    return dict(zip(ids, found, strict=True))


def _line(line: Any, id: str) -> PageLine:
    marks, region = _custom(line), line.getparent()
    text = get_line_text(line)
    shape = parse_shape(_points(line, "Coords"), _points(line, "Baseline"))
    return PageLine(
        id,
        text,
        shape.polygon,
        shape.baseline,
        _type(line, marks),
        sys.intern(region.get("id", "")),
        _type(region, _custom(region)),
        tuple(dict.fromkeys([*_styles(line, text), *_spans(marks, text)])),
        shape.problem,
    )


def _points(line: Any, name: str) -> str:
    element = line.find(f"{{*}}{name}")
    if element is None:
        return ""
    written = [f"{point.get('x') or '?'},{point.get('y') or '?'}" for point in element.iterfind("{*}Point")]
    return str(element.get("points") or " ".join(written))


def get_line_text(line: Any) -> str:
    """Return the text of a TextLine; see `parse_page`."""
    return _equivalent(line) or " ".join(filter(None, map(get_word_text, line.iterfind("{*}Word"))))


def get_word_text(word: Any) -> str:
    """Return the text of a Word; see `parse_page`."""
    return _equivalent(word) or "".join(map(_equivalent, word.iterfind("{*}Glyph")))


def find_main_equivalent(element: Any) -> Any | None:
    """Return the TextEquiv with Unicode of a line, word or glyph, of several the main one; None where it has none."""
    ranked = []
    for written in element.iterfind("{*}TextEquiv"):
        if written.find("{*}Unicode") is not None:
            index = _integer(written.get("index", ""))
            ranked.append((float("inf") if index is None else index, written))
    return min(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _equivalent(element: Any) -> str:
    written = find_main_equivalent(element)
    return "" if written is None else "".join(written.find("{*}Unicode").itertext())


def _type(element: Any, marks: list[_Custom]) -> str:
    custom = next((mark.values["type"] for mark in marks if mark.name == "structure" and mark.values.get("type")), "")
    return sys.intern(custom or element.get("type", ""))


# Order


def sort_by_index(lines: list[Any]) -> list[Any]:
    """Sort the lines of each region by their index, if all of them have one."""
    of_region: dict[Any, list[Any]] = {}
    for line in lines:
        of_region.setdefault(line.getparent(), []).append(line)
    return [line for own in of_region.values() for line in _sorted(own)]


def _sorted(elements: list[Any]) -> list[Any]:
    for index in (_custom_index, lambda element: _integer(element.get("index", ""))):
        places = [place for place in map(index, elements) if place is not None]
        if len(places) == len(elements):
            return [elements[number] for number in sorted(range(len(elements)), key=places.__getitem__)]
    return elements


def _order(page: Any) -> list[str]:
    """Return the ids of regions in reading order."""
    written = page.find("{*}ReadingOrder")
    if written is not None:
        return list(_references(written))
    regions = [element for element in page if element.find(".//{*}TextLine") is not None]
    return [region.get("id", "") for region in _sorted(regions)]


def _references(group: Any) -> Iterator[str]:
    """Yield the ids that a group names: its own region (2017 and later), then its members, depth first."""
    if group.get("regionRef"):
        yield group.get("regionRef")
    for member in _sorted([element for element in group if get_local_name(element).startswith(_MEMBERS)]):
        yield from _references(member)


# Marks of Transkribus


def _custom(element: Any) -> list[_Custom]:
    found = []
    for part in element.get("custom", "").split("}"):
        name, opened, body = part.rpartition("{")
        if opened and name.split():
            pairs = (pair.partition(":") for pair in body.split(";"))
            values = {key.strip(): _unescaped(value.strip()) for key, _, value in pairs if key.strip()}
            found.append(_Custom(name.split()[-1], values))
    return found


def _unescaped(value: str) -> str:
    if "\\u" not in value:
        return value
    plain = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda match: chr(int(match[1], 16)), value)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _custom_index(element: Any) -> int | None:
    orders = (mark.values.get("index", "") for mark in _custom(element) if mark.name == "readingOrder")
    return _integer(next(orders, ""))


def _integer(written: str) -> int | None:
    try:
        return int(written)
    except ValueError:
        return None


def _styles(line: Any, text: str) -> list[Span]:
    style = line.find("{*}TextStyle")
    if style is None or not text:
        return []
    return [Span(0, len(text), sys.intern(name)) for name, value in style.items() if value == "true"]


def _spans(marks: list[_Custom], text: str) -> Iterator[Span]:
    for mark in marks:
        offset, length = (_integer(mark.values.get(key, "")) for key in ("offset", "length"))
        if offset is None or length is None or length < 0:
            continue
        start, end = _place(text, offset), _place(text, offset + length)
        if start == end and (length or not 0 <= offset <= _units(text)):
            continue
        if mark.name != "textStyle":
            yield Span(start, end - start, sys.intern(mark.name))
        elif start < end:
            flags = [key for key, value in mark.values.items() if value == "true" and key != "continued"]
            yield from (Span(start, end - start, sys.intern(flag)) for flag in flags)


def _units(text: str) -> int:
    """How long Transkribus, a Java program, takes a text to be: a character beyond U+FFFF counts twice."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _place(text: str, offset: int) -> int:
    """Return which character an offset of Transkribus means, within the text."""
    if text.isascii() or max(text) <= "\uffff":
        return min(max(offset, 0), len(text))
    units = text.encode("utf-16-le", "surrogatepass")[: 2 * max(offset, 0)]
    return len(units.decode("utf-16-le", "ignore"))

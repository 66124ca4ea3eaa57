"""Reader of PAGE XML (PRImA), 2010 to 2019, by Transkribus, eScriptorium, OCR-D, kraken, LAREX and Aletheia."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from htr_lightning.image.files import DataError
from htr_lightning.layout.geometry import parse_page_number, parse_page_size, parse_shape, parse_turns, parse_vertical
from htr_lightning.layout.languages import parse_direction
from htr_lightning.layout.names import make_unique_ids, parse_image_name, sort_by_reading_order
from htr_lightning.layout.page import Cell, Page, PageLine, Span
from htr_lightning.layout.page_custom import CustomEntry, build_spans, get_custom_index, parse_custom, parse_integer
from htr_lightning.layout.xml import find_attribute, get_local_name, get_only_element, read_xml

ROOT_NAME = "PcGts"
_MAX_ROWS, _MAX_COLUMNS = 5000, 500  # of tables; a larger index is none
_MEMBERS = ("RegionRef", "OrderedGroup", "UnorderedGroup")


def read_page_xml(path: Path) -> Page:
    """Read a PAGE file; see `parse_page`.

    Raises:
        DataError: see `htr_lightning.layout.xml.read_xml` and `parse_page`.
    """
    return parse_page(read_xml(path), path)


def matches(root: Any) -> bool:
    """Return whether a parsed file is PAGE, of any version."""
    return get_local_name(root) == ROOT_NAME


def parse_page(root: Any, path: Path, text_index: int | None = None) -> Page:
    """Parse a PAGE file.

    - The text of a line is its TextEquiv with the lowest index, or else the first; if that is empty, the words joined
      by spaces (for a word without text, its glyphs). With ``text_index``, only TextEquivs with that index count; one
      without index has the index 0.
    - Types come from Transkribus' ``custom="structure {type:...;}"``, or else from the attribute ``type``.
    - Lines are sorted by the index in ``custom="readingOrder {index:...;}"``, or else by the attribute ``index``, if
      every line of the region has one. Regions are sorted by ReadingOrder, or else by that index. Lines in table
      cells and nested regions are sorted with the element that contains them.
    - The ``orientation`` of a region gives that of its lines, and so does a vertical ``readingDirection`` of a line or
      region.
    - The base direction of a line is its ``readingDirection``, or else follows from ``primaryScript`` or
      ``primaryLanguage``; each that of the closest element that has it, such as the region or the page.
    - The TableCellRole of a region in a TableRegion, or the row and column of Transkribus' TableCell, become the cell.
    - Entries of ``custom`` with ``offset`` and ``length`` become spans tagged by the entry's name; ``textStyle`` gives
      a span for each of its flags, and so do the flags of the line's TextStyle, for the whole text. Spans are clipped
      to the text. Spans of length 0 are kept: they mark the position of a ``gap``.

    Args:
        root: root element, from `htr_lightning.layout.xml.read_xml`.
        path: of the file.
        text_index: of the TextEquivs to read; None for the lowest of each line.

    Raises:
        DataError: the file is not PAGE, has no page or several, or the page's size is not a number.
    """
    if not matches(root):
        raise DataError(
            f"the file is not PAGE, as its root element is {get_local_name(root)!r}",
            file=path,
            remedy="pass a PAGE file",
            kind="unknown_format",
        )
    page = get_only_element(root, "Page", path)
    ids = {line: id for id, line in find_text_lines(page).items()}
    elements = sort_by_index(list(ids))
    names = [[e.get("id", "") for e in (line, *line.iterancestors())] for line in elements]
    lines = [_parse_line(line, ids[line], text_index) for line in elements]
    return Page(
        path,
        parse_image_name(page.get("imageFilename", "")),
        parse_page_size(path, page.get("imageWidth"), page.get("imageHeight")),
        tuple(sort_by_reading_order(lines, names, _get_region_order(page))),
        _find_page_number(root),
    )


def _find_page_number(root: Any) -> int | None:
    """Return the number of the page in its document, as this package writes it, or Transkribus."""
    items = root.iterfind("{*}Metadata/{*}MetadataItem[@name='page']")
    written = [item.get("value") for item in items if item.get("type") == "imageProperties"]
    written += [element.get("pageNr") for element in root.iterfind("{*}Metadata/{*}TranskribusMetadata")]
    return next((number for number in map(parse_page_number, written) if number), None)


def find_text_lines(page: Any) -> dict[str, Any]:
    """Return the TextLine elements of a page by their ids, in the order of the file."""
    elements = list(page.iter("{*}TextLine"))
    ids = make_unique_ids([line.get("id", "").strip() for line in elements])
    return dict(zip(ids, elements, strict=True))


def _parse_line(line: Any, id: str, text_index: int | None) -> PageLine:
    entries, region = parse_custom(line), line.getparent()
    text = get_line_text(line, text_index)
    shape = parse_shape(_get_points(line, "Coords"), _get_points(line, "Baseline"))
    direction = find_attribute(line, "readingDirection")
    language = find_attribute(line, "primaryScript") or find_attribute(line, "primaryLanguage")
    vertical = parse_vertical(direction, shape)
    return PageLine(
        id,
        text,
        shape.polygon,
        shape.baseline,
        _get_type(line, entries),
        sys.intern(region.get("id", "")),
        _get_type(region, parse_custom(region)),
        tuple(dict.fromkeys([*_parse_text_style(line, text), *build_spans(entries, text)])),
        shape.problem,
        _find_text_index(line) if text_index is None else text_index,
        parse_turns(find_attribute(region, "orientation"), vertical, shape.baseline),
        *_find_cell(line),
        vertical,
        parse_direction(direction, language),
    )


def _find_cell(line: Any) -> tuple[str, Cell | None]:
    """Return the id of the table that contains a line, and its position there: PAGE 2019 or Transkribus' TableCell."""
    table = next(line.iterancestors("{*}TableRegion"), None)
    if table is None:
        return "", None
    names = {"row": "rowIndex", "col": "columnIndex", "rowSpan": "rowSpan", "colSpan": "colSpan"}
    for element in itertools.takewhile(lambda element: element is not table, line.iterancestors()):
        role = element.find("{*}Roles/{*}TableCellRole")
        if role is not None:
            found = [parse_integer(role.get(name, "")) for name in names.values()]
        elif get_local_name(element) == "TableCell":
            found = [parse_integer(element.get(name, "")) for name in names]
        else:
            continue
        row, column, row_span, column_span = found
        if row in range(_MAX_ROWS) and column in range(_MAX_COLUMNS):
            spans = (min(max(n or 1, 1), most) for n, most in ((row_span, _MAX_ROWS), (column_span, _MAX_COLUMNS)))
            return sys.intern(table.get("id", "")), Cell(row or 0, column or 0, *spans)
    return sys.intern(table.get("id", "")), None


def _get_points(line: Any, name: str) -> str:
    element = line.find(f"{{*}}{name}")
    if element is None:
        return ""
    written = [f"{point.get('x') or '?'},{point.get('y') or '?'}" for point in element.iterfind("{*}Point")]
    return str(element.get("points") or " ".join(written))


def get_line_text(line: Any, text_index: int | None = None) -> str:
    """Return the text of a TextLine; see `parse_page`."""
    words = (get_word_text(word, text_index) for word in line.iterfind("{*}Word"))
    return _get_main_text(line, text_index) or " ".join(filter(None, words))


def get_word_text(word: Any, text_index: int | None = None) -> str:
    """Return the text of a Word; see `parse_page`."""
    glyphs = (_get_main_text(glyph, text_index) for glyph in word.iterfind("{*}Glyph"))
    return _get_main_text(word, text_index) or "".join(glyphs)


def find_main_equivalent(element: Any, text_index: int | None = None) -> Any | None:
    """Return the TextEquiv of a line, word or glyph with the lowest index, among those with Unicode; None if none.

    Args:
        element: the line, word or glyph.
        text_index: the index that it has to have; None for any.
    """
    ranked = []
    for equivalent in element.iterfind("{*}TextEquiv"):
        if equivalent.find("{*}Unicode") is not None:
            index = parse_integer(equivalent.get("index", ""))
            if text_index in (None, index or 0):
                ranked.append((float("inf") if index is None else index, equivalent))
    return min(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _find_text_index(line: Any) -> int | None:
    """Return the index of the text of a line, or else the highest of its words' texts."""
    elements = [line] if _get_main_text(line) else line.findall("{*}Word")
    equivalents = (find_main_equivalent(element) for element in elements)
    indices = (parse_integer(found.get("index", "")) for found in equivalents if found is not None)
    return max((index for index in indices if index is not None), default=None)


def _get_main_text(element: Any, text_index: int | None = None) -> str:
    equivalent = find_main_equivalent(element, text_index)
    return "" if equivalent is None else "".join(equivalent.find("{*}Unicode").itertext())


def _get_type(element: Any, entries: list[CustomEntry]) -> str:
    types = (entry.values.get("type") for entry in entries if entry.name == "structure")
    custom = next(filter(None, types), "")
    return sys.intern(custom or element.get("type", ""))


def _parse_text_style(line: Any, text: str) -> list[Span]:
    style = line.find("{*}TextStyle")
    if style is None or not text:
        return []
    return [Span(0, len(text), sys.intern(name)) for name, value in style.items() if value == "true"]


# Reading order


def sort_by_index(lines: list[Any]) -> list[Any]:
    """Sort the lines of each region by their index, if all of them have one."""
    by_region: dict[Any, list[Any]] = {}
    for line in lines:
        by_region.setdefault(line.getparent(), []).append(line)
    return [line for siblings in by_region.values() for line in _sort_siblings(siblings)]


def _sort_siblings(elements: list[Any]) -> list[Any]:
    """Sort elements by their index in ``custom``, or else in the attribute ``index``, if all of them have one."""
    for get_index in (get_custom_index, lambda element: parse_integer(element.get("index", ""))):
        indices = [index for index in map(get_index, elements) if index is not None]
        if len(indices) == len(elements):
            return [elements[i] for i in sorted(range(len(elements)), key=indices.__getitem__)]
    return elements


def _get_region_order(page: Any) -> list[str]:
    """Return the ids of regions in reading order."""
    reading_order = page.find("{*}ReadingOrder")
    if reading_order is not None:
        return list(_iterate_references(reading_order))
    regions = [element for element in page if element.find(".//{*}TextLine") is not None]
    return [region.get("id", "") for region in _sort_siblings(regions)]


def _iterate_references(group: Any) -> Iterator[str]:
    """Yield the region ids in a group: its own region (2017 and later), then its members, depth first."""
    if group.get("regionRef"):
        yield group.get("regionRef")
    for member in _sort_siblings([element for element in group if get_local_name(element).startswith(_MEMBERS)]):
        yield from _iterate_references(member)

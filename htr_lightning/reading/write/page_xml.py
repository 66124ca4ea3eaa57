"""Write pages as PAGE XML of 2019-07-15, the format of Transkribus, eScriptorium, OCR-D and LAREX."""

import re
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from lxml import etree

from htr_lightning.directions.bidi import find_base_direction
from htr_lightning.layout.languages import get_page_name
from htr_lightning.reading.page import PredictedLine, PredictedPage, PredictedRegion
from htr_lightning.reading.pixel_grid import (
    IntPoints,
    PixelGrid,
    format_points,
    get_box_corners,
    get_extent_points,
)
from htr_lightning.reading.write.elements import (
    SOFTWARE_VERSION,
    IdAllocator,
    add_element,
    assign_ids,
    format_confidence,
    group_cells,
    qualify_name,
    serialize,
)
from htr_lightning.reading.write.tokens import sanitize, split_tokens

_NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
Lines = Sequence[tuple[str, PredictedLine]]
"""Lines with their ids in the file."""
_REGION_TYPES = frozenset(
    [
        "paragraph",
        "heading",
        "caption",
        "header",
        "footer",
        "page-number",
        "drop-capital",
        "credit",
        "floating",
        "signature-mark",
        "catch-word",
        "marginalia",
        "footnote",
        "footnote-continued",
        "endnote",
        "TOC-entry",
        "list-label",
        "other",
    ]
)


def write_page_xml(page: PredictedPage, created: datetime) -> bytes:
    """Return a page as a PAGE XML file.

    - Lines, words and characters (Glyph) have their confidence in TextEquiv; regions have their text.
    - All coordinates are whole pixels inside the page. The schema requires Coords of every line: a line without a
      polygon gets the bounding box of its words and baseline, or else ``0,0 0,0``.
    - The type of a region is its ``type`` if PAGE defines it, and always in ``custom``, as in Transkribus.
    - The confidence of a detected line is that of its Coords and of its Baseline.
    - The ``orientation`` of a region is the clockwise rotation that turns its characters upright. The
      ``readingDirection`` of a region and a line says that it is vertical, or written from right to left; the
      ``textLineOrder`` of a vertical region says on which side its first line is.
    - The ``primaryLanguage`` of the page is its language, if it is known.
    - A layout alone has no TextEquiv.
    - A table is a TableRegion with a TextRegion for each cell, in row order, whose TableCellRole gives row, column and
      spans.
    - Why a line could not be read is in its ``comments``; the notes on the page are in Metadata.

    Args:
        page: the page.
        created: time of the recognition.
    """
    root = etree.Element(
        qualify_name(_NAMESPACE, "PcGts"),
        {f"{{{_INSTANCE}}}schemaLocation": f"{_NAMESPACE} {_NAMESPACE}/pagecontent.xsd"},
        nsmap={None: _NAMESPACE, "xsi": _INSTANCE},
    )
    _add_metadata(add_element(root, "Metadata"), page, created)
    attributes = {"imageWidth": str(page.width_px), "imageHeight": str(page.height_px)}
    if language := get_page_name(page.language):
        attributes["primaryLanguage"] = language
    element = add_element(root, "Page", imageFilename=sanitize(page.image_name), **attributes)
    ids = IdAllocator()
    regions = assign_ids(page, ids)
    _add_reading_order(element, [id for id, _, _ in regions], ids)
    grid = PixelGrid.for_page(page)
    for number, (region_id, region, lines) in enumerate(regions):
        is_table = any(line.cell for _, line in lines)
        block = add_element(element, "TableRegion" if is_table else "TextRegion", id=region_id)
        _fill_region(block, region, number, grid)
        if is_table:
            _add_cells(block, lines, grid, ids, page.is_recognized)
        else:
            _add_lines(block, lines, grid, ids, page.is_recognized)
    return serialize(root)


def build_words(
    line: PredictedLine, grid: PixelGrid, namespace: str, line_id: str, ids: IdAllocator, *, before_2013: bool = False
) -> Iterator[Any]:
    """Yield a Word element for each word whose position is known.

    Args:
        line: the line.
        grid: of its page.
        namespace: of the elements; empty for none.
        line_id: prefix of the ids of words and characters.
        ids: of the file.
        before_2013: follow the versions of PAGE before 2013: a Point element for each point, no confidences, a
            PlainText in every TextEquiv.
    """
    tokens = [token for token in split_tokens(line) if token.outline is not None]
    for number, token in enumerate(tokens, 1):
        element = etree.Element(qualify_name(namespace, "Word"), id=ids.allocate(f"{line_id}_w{number}"))
        add_coords(element, "Coords", grid.round_points(token.outline or ()), before_2013=before_2013)
        for index, character in enumerate(token.characters, 1):
            glyph = add_element(element, "Glyph", id=ids.allocate(f"{line_id}_w{number}_g{index}"))
            add_coords(glyph, "Coords", grid.round_points(character.outline), before_2013=before_2013)
            add_text_equiv(glyph, sanitize(character.text), character.confidence, before_2013=before_2013)
        add_text_equiv(element, token.text, token.confidence, before_2013=before_2013)
        yield element


def add_text_equiv(parent: Any, text: str, confidence: float | None = None, *, before_2013: bool = False) -> Any:
    """Append a TextEquiv element, and return it; see `build_words`."""
    element = add_element(parent, "TextEquiv")
    if confidence is not None and not before_2013:
        element.set("conf", format_confidence(confidence))
    if before_2013:
        add_element(element, "PlainText", text)
    add_element(element, "Unicode", text)
    return element


def add_coords(parent: Any, name: str, points: IntPoints, *, before_2013: bool = False) -> None:
    """Append a Coords or Baseline element; see `build_words`."""
    if not before_2013:
        add_element(parent, name, points=format_points(points))
        return
    element = add_element(parent, name)
    for x, y in points.tolist():
        add_element(element, "Point", x=str(x), y=str(y))


def _add_metadata(metadata: Any, page: PredictedPage, created: datetime) -> None:
    add_element(metadata, "Creator", SOFTWARE_VERSION)
    for name in ("Created", "LastChange"):
        add_element(metadata, name, created.isoformat(timespec="seconds"))
    if page.notes:
        add_element(metadata, "Comments", sanitize("\n".join(page.notes)))
    if page.number is not None:
        add_element(metadata, "MetadataItem", type="imageProperties", name="page", value=str(page.number))
    name = "recognition" if page.is_recognized else "segmentation"
    step = {"type": "processingStep", "name": name, "value": SOFTWARE_VERSION}
    item = add_element(metadata, "MetadataItem", **step)
    if page.model:
        add_element(add_element(item, "Labels"), "Label", type="model", value=sanitize(page.model))


def _add_reading_order(element: Any, region_ids: list[str], ids: IdAllocator) -> None:
    if region_ids:
        group = add_element(add_element(element, "ReadingOrder"), "OrderedGroup", id=ids.allocate("reading_order"))
        for number, id in enumerate(region_ids):
            add_element(group, "RegionRefIndexed", index=str(number), regionRef=id)


def _add_cells(table: Any, lines: Lines, grid: PixelGrid, ids: IdAllocator, is_recognized: bool) -> None:
    """Add a TextRegion for each cell, with its place in the table."""
    for number, (cell, members) in enumerate(group_cells(lines)):
        name = f"{table.get('id')}_c{cell.row}_{cell.column}" if cell else f"{table.get('id')}_t"
        block = add_element(table, "TextRegion", id=ids.allocate(name), custom=f"readingOrder {{index:{number};}}")
        points = [point for _, line in members for point in get_extent_points(line)]
        add_coords(block, "Coords", _build_outline(grid, points, is_polygon=False))
        if cell:
            place = {"rowIndex": cell.row, "columnIndex": cell.column}
            spans = {"rowSpan": cell.row_span, "colSpan": cell.column_span}
            values = {name: str(value) for name, value in (place | spans).items()}
            add_element(add_element(block, "Roles"), "TableCellRole", **values)
        _add_lines(block, members, grid, ids, is_recognized)


def _add_lines(block: Any, lines: Lines, grid: PixelGrid, ids: IdAllocator, is_recognized: bool) -> None:
    for index, (line_id, line) in enumerate(lines):
        _fill_line(add_element(block, "TextLine", id=line_id), line, index, grid, ids, is_recognized)
    if is_recognized:
        add_text_equiv(block, sanitize("\n".join(line.text for _, line in lines)))


def _fill_region(element: Any, region: PredictedRegion, number: int, grid: PixelGrid) -> None:
    if region.kind in _REGION_TYPES:
        element.set("type", region.kind)
    _set_direction(element, region.lines)
    if region.vertical:
        element.set("textLineOrder", _get_order_of_columns(region.lines))
    if region.rotation:
        element.set("orientation", str(_get_clockwise_rotation(region.rotation)))
    structure = f" structure {{type:{_escape_custom(region.kind)};}}" if region.kind else ""
    element.set("custom", f"readingOrder {{index:{number};}}{structure}")
    has_polygon = len(region.polygon) > 0
    points = region.polygon if has_polygon else [point for line in region.lines for point in get_extent_points(line)]
    add_coords(element, "Coords", _build_outline(grid, points, is_polygon=has_polygon))


def _set_direction(element: Any, lines: Sequence[PredictedLine]) -> None:
    """State that a region or a line is vertical, or written from right to left."""
    if lines and lines[0].vertical:
        element.set("readingDirection", lines[0].vertical)
    elif lines and _find_direction(lines) == "rtl":
        element.set("readingDirection", "right-to-left")


def _find_direction(lines: Sequence[PredictedLine]) -> str:
    """Return the direction of a line, or that of most letters of several."""
    (stated, _), *_ = Counter(line.stated_direction for line in lines).most_common()
    return find_base_direction("".join(line.text for line in lines), stated=stated)


def _get_order_of_columns(lines: Sequence[PredictedLine]) -> str:
    """Return the order of vertical lines; that of Chinese if there is only one."""
    first, last = (np.mean([x for x, _ in get_extent_points(line)]) for line in (lines[0], lines[-1]))
    return "left-to-right" if first < last else "right-to-left"


def _get_clockwise_rotation(turns: int) -> int:
    """Return the degrees, from -179 to 180, by which to turn a region clockwise so that its writing is upright."""
    return {1: -90, 2: 180, 3: 90}[turns]


def _fill_line(
    element: Any, line: PredictedLine, index: int, grid: PixelGrid, ids: IdAllocator, is_recognized: bool
) -> None:
    _set_direction(element, [line])
    element.set("custom", f"readingOrder {{index:{index};}}")
    if line.problem:
        element.set("comments", sanitize(line.problem))
    add_coords(element, "Coords", _build_outline(grid, get_extent_points(line), is_polygon=len(line.polygon) > 0))
    baseline = grid.round_baseline(line.baseline)
    if len(baseline):
        add_coords(element, "Baseline", baseline)
    if line.line_confidence is not None:
        for child in element:
            child.set("conf", format_confidence(line.line_confidence))
    element.extend(build_words(line, grid, _NAMESPACE, element.get("id"), ids))
    if is_recognized and (line.text or not line.problem):
        add_text_equiv(element, sanitize(line.text), line.confidence)


def _build_outline(grid: PixelGrid, points: Any, *, is_polygon: bool) -> IntPoints:
    """Round a polygon, or return the bounding box of other points: ``0,0 0,0`` if there are none."""
    polygon = grid.round_polygon(points)
    if is_polygon and len(polygon):
        return polygon
    box = grid.bounding_box(points)
    return get_box_corners(box) if box else grid.round_points([(0, 0), (0, 0)])


def _escape_custom(value: str) -> str:
    """Escape a value of ``custom`` as Transkribus does: UTF-16 units except letters and digits become backslash-u."""
    units = struct.iter_unpack(">H", sanitize(value).encode("utf-16-be"))
    return "".join(chr(unit) if re.match(r"[\w.-]", chr(unit)) else f"\\u{unit:04x}" for (unit,) in units)

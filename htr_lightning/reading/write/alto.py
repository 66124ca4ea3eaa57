"""Write pages as ALTO 4.4, the format of eScriptorium, kraken and libraries."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from lxml import etree

from htr_lightning.reading.page import PredictedLine, PredictedPage, PredictedRegion
from htr_lightning.reading.pixel_grid import (
    Box,
    PixelGrid,
    format_points,
    get_bounding_box,
    get_extent_points,
    is_axis_aligned,
    is_polygon,
)
from htr_lightning.reading.write.elements import (
    SOFTWARE,
    IdAllocator,
    add_element,
    assign_ids,
    format_confidence,
    group_cells,
    qualify_name,
    serialize,
)
from htr_lightning.reading.write.tokens import Token, sanitize, split_tokens
from htr_lightning.version import __version__

_NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
_SCHEMA = "http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"
Lines = Sequence[tuple[str, PredictedLine]]
"""Lines with their ids in the file."""
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


def write_alto(page: PredictedPage, created: datetime | None = None) -> bytes:
    """Return a page as an ALTO file.

    - A word is a String element with its confidence (WC) and a Glyph for each character (GC); a space is an SP. A line
      without words is one String. A line without text has one empty String, since the schema requires one.
    - All coordinates are whole pixels inside the page. What is not an axis-aligned box has a Shape as well.
    - The String of a line of a layout alone is empty. Its WC is the confidence of the line, for which ALTO has no
      place.
    - The ROTATION of a block is that of its characters, in degrees counterclockwise. The BASEDIRECTION of a line says
      that it is vertical, or written from right to left.
    - The LANG of the page is its language, if it is known.
    - The type of a region is a tag, as in eScriptorium.
    - A table is a ComposedBlock with the TYPE ``table``, and a TextBlock for each cell, in row order.
    - The order of the file is the reading order, so there is no ReadingOrder element.
    - Processing names the software, the model and the notes.

    Args:
        page: the page.
        created: time of the recognition; None leaves it out.
    """
    root = etree.Element(
        qualify_name(_NAMESPACE, "alto"),
        {f"{{{_INSTANCE}}}schemaLocation": f"{_NAMESPACE} {_SCHEMA}", "SCHEMAVERSION": "4.4"},
        nsmap={None: _NAMESPACE, "xsi": _INSTANCE},
    )
    ids = IdAllocator()
    regions = assign_ids(page, ids)
    _add_metadata(add_element(root, "Description"), page, ids, created)
    tags = _add_tags(root, page, ids)
    width, height = str(page.width_px), str(page.height_px)
    attributes = {
        "ID": ids.allocate("page"),
        "PHYSICAL_IMG_NR": str(page.number or 1),
        "WIDTH": width,
        "HEIGHT": height,
    }
    if page.language:
        attributes["LANG"] = page.language
    element = add_element(add_element(root, "Layout"), "Page", **attributes)
    space = add_element(element, "PrintSpace", HPOS="0", VPOS="0", WIDTH=width, HEIGHT=height)
    grid = PixelGrid.for_page(page)
    for region_id, region, lines in regions:
        is_table = any(line.cell for _, line in lines)
        block = add_element(space, "ComposedBlock" if is_table else "TextBlock", ID=region_id)
        if region.kind in tags:
            block.set("TAGREFS", tags[region.kind])
        if region.rotation:
            block.set("ROTATION", str(360 - 90 * region.rotation))
        _set_region_geometry(block, region, grid)
        if is_table:
            block.set("TYPE", "table")
            _add_cells(block, lines, grid, ids, page.is_recognized)
        else:
            _add_lines(block, lines, grid, ids, page.is_recognized)
    return serialize(root)


def _add_cells(table: Any, lines: Lines, grid: PixelGrid, ids: IdAllocator, is_recognized: bool) -> None:
    """Add a TextBlock for each cell; ALTO has no place for its row and column but its id."""
    for cell, members in group_cells(lines):
        name = f"{table.get('ID')}_c{cell.row}_{cell.column}" if cell else f"{table.get('ID')}_t"
        block = add_element(table, "TextBlock", ID=ids.allocate(name))
        _set_box(block, grid.bounding_box([point for _, line in members for point in get_extent_points(line)]))
        _add_lines(block, members, grid, ids, is_recognized)


def _add_lines(block: Any, lines: Lines, grid: PixelGrid, ids: IdAllocator, is_recognized: bool) -> None:
    for line_id, line in lines:
        element = add_element(block, "TextLine", ID=line_id)
        if line.direction != "ltr":
            element.set("BASEDIRECTION", line.direction)
        _fill_line(element, line, grid, ids)
        if not is_recognized and line.line_confidence is not None:
            element.find("{*}String").set("WC", format_confidence(line.line_confidence))


def build_strings(line: PredictedLine, grid: PixelGrid, namespace: str, *, detailed: bool = True) -> Iterator[Any]:
    """Yield the String and SP elements of a line, without ids; one empty String if it has no text.

    Args:
        line: the line.
        grid: of its page.
        namespace: of the elements; empty for none.
        detailed: add Shape and Glyph elements, which ALTO has from version 4 on.
    """
    tokens = split_tokens(line) or [Token("")]
    for number, token in enumerate(tokens):
        if number:
            space = etree.Element(qualify_name(namespace, "SP"))
            _set_box(space, grid.bounding_box(tokens[number - 1].space or ()))
            yield space
        string = etree.Element(qualify_name(namespace, "String"), CONTENT=token.text)
        if token.confidence is not None:
            string.set("WC", format_confidence(token.confidence))
        if len(tokens) == 1 and token.outline is None:
            _set_box(string, grid.bounding_box(get_extent_points(line)))
        else:
            _set_box_and_shape(string, token.outline or (), grid, detailed)
        for character in token.characters if detailed else ():
            attributes = {"CONTENT": sanitize(character.text), "GC": format_confidence(character.confidence)}
            _set_box_and_shape(add_element(string, "Glyph", **attributes), character.outline, grid, True)
        yield string


def _add_metadata(description: Any, page: PredictedPage, ids: IdAllocator, created: datetime | None) -> None:
    add_element(description, "MeasurementUnit", "pixel")
    add_element(add_element(description, "sourceImageInformation"), "fileName", sanitize(page.image_name))
    step = add_element(
        description, "Processing", ID=ids.allocate("recognition" if page.is_recognized else "segmentation")
    )
    add_element(step, "processingCategory", "contentGeneration")
    if created is not None:
        add_element(step, "processingDateTime", created.isoformat(timespec="seconds"))
    task = "Recognition of handwriting" if page.is_recognized else "Segmentation into lines"
    for note in (task, *page.notes):
        add_element(step, "processingStepDescription", sanitize(note))
    if page.model:
        add_element(step, "processingStepSettings", sanitize(f"model: {page.model}"))
    software = add_element(step, "processingSoftware")
    add_element(software, "softwareName", SOFTWARE)
    add_element(software, "softwareVersion", __version__)


def _add_tags(root: Any, page: PredictedPage, ids: IdAllocator) -> dict[str, str]:
    """Add a tag for each type of region; return the id of each."""
    kinds = list(dict.fromkeys(region.kind for region in page.regions if region.kind))
    tags = {kind: ids.allocate(f"BT{number}") for number, kind in enumerate(kinds, 1)}
    element = add_element(root, "Tags") if tags else None
    for kind, id in tags.items():
        add_element(element, "OtherTag", ID=id, LABEL=sanitize(kind), DESCRIPTION=sanitize(f"block type {kind}"))
    return tags


def _set_region_geometry(block: Any, region: PredictedRegion, grid: PixelGrid) -> None:
    _set_box(block, grid.bounding_box(region.polygon))
    _add_shape(block, format_points(grid.round_polygon(region.polygon), " "))


def _fill_line(element: Any, line: PredictedLine, grid: PixelGrid, ids: IdAllocator) -> None:
    _set_box(element, grid.bounding_box(get_extent_points(line)))
    baseline = format_points(grid.round_baseline(line.baseline), " ")
    if baseline:
        element.set("BASELINE", baseline)
    _add_shape(element, format_points(grid.round_polygon(line.polygon), " "))
    element.extend(build_strings(line, grid, _NAMESPACE))
    for number, string in enumerate(element.iterchildren("{*}String"), 1):
        string.set("ID", ids.allocate(f"{element.get('ID')}_w{number}"))


def _set_box_and_shape(element: Any, outline: Any, grid: PixelGrid, detailed: bool) -> None:
    """Set the bounding box of an outline, and add the outline itself if it is not its bounding box."""
    corners = grid.round_points(outline)
    _set_box(element, get_bounding_box(corners))
    if detailed and is_polygon(corners) and not is_axis_aligned(corners):
        _add_shape(element, format_points(corners, " "))


def _set_box(element: Any, box: Box | None) -> None:
    if box is not None:
        left, top, right, bottom = box
        values = {"HPOS": left, "VPOS": top, "WIDTH": right - left, "HEIGHT": bottom - top}
        for name, value in values.items():
            element.set(name, str(value))


def _add_shape(element: Any, points: str) -> None:
    if points:
        add_element(add_element(element, "Shape"), "Polygon", POINTS=points)

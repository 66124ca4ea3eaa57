"""ALTO 4.4, as eScriptorium, kraken and libraries read it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from lxml import etree

from htr_lightning.reading.page import PredictedLine, PredictedPage, PredictedRegion
from htr_lightning.reading.write.elements import SOFTWARE, Ids, add, confidence, name_in, named, to_bytes
from htr_lightning.reading.write.pieces import Piece, legal, pieces
from htr_lightning.reading.write.whole_pixels import Box, Sheet, around, is_upright, written
from htr_lightning.version import __version__

_NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
_SCHEMA = "http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


def write_alto(page: PredictedPage, created: datetime | None = None) -> bytes:
    """Write a page.

    - Words are String elements with a confidence (WC) and a Glyph for each character (GC), spaces are SP. A line
      without words is one String; without text, an empty one, since the schema wants one.
    - Beside the boxes, what is no upright box has a Shape. All numbers are whole pixels inside the page.
    - The kind of a region is a tag, as eScriptorium has it.
    - The order of the file is the reading order, so there is no element ReadingOrder.
    - Processing names the software, the model and the notes.

    Args:
        page: the page.
        created: when it was read; not written when None.
    """
    root = etree.Element(
        name_in(_NAMESPACE, "alto"),
        {f"{{{_INSTANCE}}}schemaLocation": f"{_NAMESPACE} {_SCHEMA}", "SCHEMAVERSION": "4.4"},
        nsmap={None: _NAMESPACE, "xsi": _INSTANCE},
    )
    ids = Ids()
    regions = named(page, ids)
    _describe(add(root, "Description"), page, ids, created)
    tags = _tags(root, page, ids)
    width, height = str(page.width_px), str(page.height_px)
    attributes = {"ID": ids.give("page"), "PHYSICAL_IMG_NR": str(page.number or 1), "WIDTH": width, "HEIGHT": height}
    element = add(add(root, "Layout"), "Page", **attributes)
    space = add(element, "PrintSpace", HPOS="0", VPOS="0", WIDTH=width, HEIGHT=height)
    for name, region, lines in regions:
        block = add(space, "TextBlock", ID=name)
        if region.kind in tags:
            block.set("TAGREFS", tags[region.kind])
        _region(block, region, Sheet.of(page))
        for name, line in lines:
            element = add(block, "TextLine", ID=name)
            _line(element, line, Sheet.of(page))
            for number, string in enumerate(element.iterchildren("{*}String"), 1):
                string.set("ID", ids.give(f"{name}_w{number}"))
    return to_bytes(root)


def strings(line: PredictedLine, sheet: Sheet, namespace: str, *, detailed: bool = True) -> Iterator[Any]:
    """Yield the String and SP elements of a line, without ids; one empty String where it has no text.

    Args:
        line: the line.
        sheet: of its page.
        namespace: of the elements; empty for none.
        detailed: with Shape and Glyph, which ALTO has from version 4 on.
    """
    found = pieces(line) or [Piece("")]
    for number, piece in enumerate(found):
        if number:
            space = etree.Element(name_in(namespace, "SP"))
            _place(space, sheet.box(found[number - 1].space or ()))
            yield space
        string = etree.Element(name_in(namespace, "String"), CONTENT=piece.text)
        if piece.confidence is not None:
            string.set("WC", confidence(piece.confidence))
        if len(found) == 1 and piece.outline is None:
            _place(string, sheet.box(around(line)))
        else:
            _place_shape(string, piece.outline or (), sheet, detailed)
        for character in piece.characters if detailed else ():
            glyph = add(string, "Glyph", CONTENT=legal(character.text), GC=confidence(character.confidence))
            _place_shape(glyph, character.outline, sheet, True)
        yield string


def _describe(description: Any, page: PredictedPage, ids: Ids, created: datetime | None) -> None:
    add(description, "MeasurementUnit", "pixel")
    add(add(description, "sourceImageInformation"), "fileName", legal(page.image_name))
    step = add(description, "Processing", ID=ids.give("recognition"))
    add(step, "processingCategory", "contentGeneration")
    if created is not None:
        add(step, "processingDateTime", created.isoformat(timespec="seconds"))
    for note in ("Recognition of handwriting", *page.notes):
        add(step, "processingStepDescription", legal(note))
    if page.model:
        add(step, "processingStepSettings", legal(f"model: {page.model}"))
    software = add(step, "processingSoftware")
    add(software, "softwareName", SOFTWARE)
    add(software, "softwareVersion", __version__)


def _tags(root: Any, page: PredictedPage, ids: Ids) -> dict[str, str]:
    """Write a tag for each kind of region; return its id."""
    kinds = list(dict.fromkeys(region.kind for region in page.regions if region.kind))
    tags = {kind: ids.give(f"BT{number}") for number, kind in enumerate(kinds, 1)}
    element = add(root, "Tags") if tags else None
    for kind, id in tags.items():
        add(element, "OtherTag", ID=id, LABEL=legal(kind), DESCRIPTION=legal(f"block type {kind}"))
    return tags


def _region(block: Any, region: PredictedRegion, sheet: Sheet) -> None:
    _place(block, sheet.box(region.polygon))
    _shape(block, written(sheet.outline(region.polygon), " "))


def _line(element: Any, line: PredictedLine, sheet: Sheet) -> None:
    _place(element, sheet.box(around(line)))
    baseline = written(sheet.baseline(line), " ")
    if baseline:
        element.set("BASELINE", baseline)
    _shape(element, written(sheet.outline(line.polygon), " "))
    element.extend(strings(line, sheet, _NAMESPACE))


def _place_shape(element: Any, outline: Any, sheet: Sheet, detailed: bool) -> None:
    """Write the box of an outline, and the outline itself where the box does not say it all."""
    _place(element, sheet.box(outline))
    corners = sheet.outline(outline)
    if detailed and len(corners) and not is_upright(corners):
        _shape(element, written(corners, " "))


def _place(element: Any, box: Box | None) -> None:
    if box is not None:
        left, top, right, bottom = box
        for name, value in zip(
            ("HPOS", "VPOS", "WIDTH", "HEIGHT"), (left, top, right - left, bottom - top), strict=True
        ):
            element.set(name, str(value))


def _shape(element: Any, points: str) -> None:
    if points:
        add(add(element, "Shape"), "Polygon", POINTS=points)

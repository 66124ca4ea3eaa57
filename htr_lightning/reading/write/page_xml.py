"""PAGE XML of 2019-07-15, as Transkribus, eScriptorium, OCR-D and LAREX read it."""

import re
import struct
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from lxml import etree

from htr_lightning.reading.page import PredictedLine, PredictedPage, PredictedRegion
from htr_lightning.reading.write.elements import SOFTWARE_VERSION, Ids, add, confidence, name_in, named, to_bytes
from htr_lightning.reading.write.pieces import legal, pieces
from htr_lightning.reading.write.whole_pixels import Sheet, Whole, around, corners, written

_NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
# fmt: off
_KINDS = (
    "paragraph", "heading", "caption", "header", "footer", "page-number", "drop-capital", "credit", "floating",
    "signature-mark", "catch-word", "marginalia", "footnote", "footnote-continued", "endnote", "TOC-entry",
    "list-label", "other",
)
# fmt: on


def write_page_xml(page: PredictedPage, created: datetime) -> bytes:
    """Write a page.

    - Lines, words and characters (Glyph) have their confidence in TextEquiv; regions have their text.
    - Every place is whole, not negative, and inside the page. The schema wants Coords of every line: without an
      outline, that is the box of its words and baseline, or else ``0,0 0,0``.
    - The kind of a region is its type where PAGE knows it, and in any case in ``custom``, as Transkribus has it.
    - Why a line could not be read is in its ``comments``; the notes on the page are in Metadata.

    Args:
        page: the page.
        created: when it was read.
    """
    root = etree.Element(
        name_in(_NAMESPACE, "PcGts"),
        {f"{{{_INSTANCE}}}schemaLocation": f"{_NAMESPACE} {_NAMESPACE}/pagecontent.xsd"},
        nsmap={None: _NAMESPACE, "xsi": _INSTANCE},
    )
    _describe(add(root, "Metadata"), page, created)
    attributes = {"imageWidth": str(page.width_px), "imageHeight": str(page.height_px)}
    element = add(root, "Page", imageFilename=legal(page.image_name), **attributes)
    ids = Ids()
    regions = named(page, ids)
    _order(element, [name for name, _, _ in regions], ids)
    for number, (name, region, lines) in enumerate(regions):
        block = add(element, "TextRegion", id=name)
        _region(block, region, number, Sheet.of(page))
        for place, (name, line) in enumerate(lines):
            _line(add(block, "TextLine", id=name), line, place, Sheet.of(page), ids)
        equivalent(block, legal("\n".join(line.text for line in region.lines)))
    return to_bytes(root)


def words(
    line: PredictedLine, sheet: Sheet, namespace: str, name: str, ids: Ids, *, early: bool = False
) -> Iterator[Any]:
    """Yield a Word for each word whose place is known.

    Args:
        line: the line.
        sheet: of its page.
        namespace: of the elements; empty for none.
        name: id of the line, which those of words and characters begin with.
        ids: of the file.
        early: as PAGE was before 2013: each point an element, no confidences, a PlainText in every TextEquiv.
    """
    found = [piece for piece in pieces(line) if piece.outline is not None]
    for number, piece in enumerate(found, 1):
        element = etree.Element(name_in(namespace, "Word"), id=ids.give(f"{name}_w{number}"))
        coords(element, "Coords", sheet.points(piece.outline or ()), early=early)
        for place, character in enumerate(piece.characters, 1):
            glyph = add(element, "Glyph", id=ids.give(f"{name}_w{number}_g{place}"))
            coords(glyph, "Coords", sheet.points(character.outline), early=early)
            equivalent(glyph, legal(character.text), character.confidence, early=early)
        equivalent(element, piece.text, piece.confidence, early=early)
        yield element


def equivalent(parent: Any, text: str, certainty: float | None = None, *, early: bool = False) -> Any:
    """Add a TextEquiv; see `words`."""
    element = add(parent, "TextEquiv")
    if certainty is not None and not early:
        element.set("conf", confidence(certainty))
    if early:
        add(element, "PlainText", text)
    add(element, "Unicode", text)
    return element


def coords(parent: Any, name: str, points: Whole, *, early: bool = False) -> None:
    """Add Coords or Baseline; see `words`."""
    if not early:
        add(parent, name, points=written(points))
        return
    element = add(parent, name)
    for x, y in points.tolist():
        add(element, "Point", x=str(x), y=str(y))


def _describe(metadata: Any, page: PredictedPage, created: datetime) -> None:
    add(metadata, "Creator", SOFTWARE_VERSION)
    for name in ("Created", "LastChange"):
        add(metadata, name, created.isoformat(timespec="seconds"))
    if page.notes:
        add(metadata, "Comments", legal("\n".join(page.notes)))
    if page.number is not None:
        add(metadata, "MetadataItem", type="imageProperties", name="page", value=str(page.number))
    step = {"type": "processingStep", "name": "recognition", "value": SOFTWARE_VERSION}
    item = add(metadata, "MetadataItem", **step)
    if page.model:
        add(add(item, "Labels"), "Label", type="model", value=legal(page.model))


def _order(element: Any, regions: list[str], ids: Ids) -> None:
    if regions:
        group = add(add(element, "ReadingOrder"), "OrderedGroup", id=ids.give("reading_order"))
        for number, id in enumerate(regions):
            add(group, "RegionRefIndexed", index=str(number), regionRef=id)


def _region(element: Any, region: PredictedRegion, number: int, sheet: Sheet) -> None:
    if region.kind in _KINDS:
        element.set("type", region.kind)
    kind = f" structure {{type:{_escaped(region.kind)};}}" if region.kind else ""
    element.set("custom", f"readingOrder {{index:{number};}}{kind}")
    drawn = len(region.polygon) > 0
    points = region.polygon if drawn else [point for line in region.lines for point in around(line)]
    coords(element, "Coords", _outline(sheet, points, drawn=drawn))


def _line(element: Any, line: PredictedLine, place: int, sheet: Sheet, ids: Ids) -> None:
    element.set("custom", f"readingOrder {{index:{place};}}")
    if line.problem:
        element.set("comments", legal(line.problem))
    coords(element, "Coords", _outline(sheet, around(line), drawn=len(line.polygon) > 0))
    baseline = sheet.baseline(line)
    if len(baseline):
        coords(element, "Baseline", baseline)
    element.extend(words(line, sheet, _NAMESPACE, element.get("id"), ids))
    if line.text or not line.problem:
        equivalent(element, legal(line.text), line.confidence)


def _outline(sheet: Sheet, points: Any, *, drawn: bool) -> Whole:
    """Return an outline as it was drawn, or else the box around points, which is ``0,0 0,0`` around none."""
    outline = sheet.outline(points)
    if drawn and len(outline):
        return outline
    box = sheet.box(points)
    return corners(box) if box else sheet.points([(0, 0), (0, 0)])


def _escaped(value: str) -> str:
    """Escape all but letters and digits of the first plane in ``custom``, by UTF-16 units, as Transkribus does."""
    units = struct.iter_unpack(">H", legal(value).encode("utf-16-be"))
    return "".join(chr(unit) if re.match(r"[\w.-]", chr(unit)) else f"\\u{unit:04x}" for (unit,) in units)

"""Helpers shared by the writers: unique ids, confidences, XML elements and their serialization."""

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any

from lxml import etree

from htr_lightning.layout.page import Cell
from htr_lightning.reading.page import PredictedLine, PredictedPage, PredictedRegion
from htr_lightning.version import __version__

SOFTWARE = "htr-lightning"
SOFTWARE_VERSION = f"{SOFTWARE} {__version__}"

_NAME_START = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_INVALID_IN_NAME = re.compile(f"[^{_NAME_START}\\-.0-9\u00b7\u0300-\u036f\u203f\u2040]")


class IdAllocator:
    """Allocates the ids of a file: unique XML names without a colon.

    Args:
        used: ids that the file contains already.
    """

    def __init__(self, used: Iterable[str] = ()) -> None:
        self._used = set(used)

    def allocate(self, wanted: str) -> str:
        """Return an unused id: the wanted one if possible, with invalid characters replaced and a number appended."""
        name = _INVALID_IN_NAME.sub("_", wanted)
        if not re.match(f"[{_NAME_START}]", name):
            name = f"_{name}"
        id, number = name, 2
        while id in self._used:
            id, number = f"{name}_{number}", number + 1
        self._used.add(id)
        return id


def assign_ids(
    page: PredictedPage, ids: IdAllocator
) -> list[tuple[str, PredictedRegion, list[tuple[str, PredictedLine]]]]:
    """Return the regions and lines of a page with their ids in the file.

    Call it before anything else allocates ids, so that regions and lines keep theirs.
    """
    return [
        (ids.allocate(region.id), region, [(ids.allocate(line.id), line) for line in region.lines])
        for region in page.regions
    ]


def group_cells(
    lines: Sequence[tuple[str, PredictedLine]],
) -> list[tuple[Cell | None, list[tuple[str, PredictedLine]]]]:
    """Group the consecutive lines of a table by their cell; a cell is as large as the largest one of its lines.

    Args:
        lines: of a region, each with its id in the file; without a cell if the region is no table.
    """
    groups = []
    for place, group in itertools.groupby(lines, key=lambda item: _get_place(item[1])):
        members = list(group)
        cells = [line.cell for _, line in members if line.cell]
        cell = Cell(*place, max(c.row_span for c in cells), max(c.column_span for c in cells)) if place else None
        groups.append((cell, members))
    return groups


def _get_place(line: PredictedLine) -> tuple[int, int] | None:
    return (line.cell.row, line.cell.column) if line.cell else None


def format_confidence(value: float) -> str:
    """Format a confidence, clipped to 0..1, with four decimals."""
    return f"{min(max(value, 0.0), 1.0):.4f}"


def qualify_name(namespace: str, name: str) -> str:
    """Return a qualified name as lxml expects it; an empty namespace stands for none."""
    return f"{{{namespace}}}{name}" if namespace else name


def add_element(parent: Any, name: str, text: str | None = None, /, **attributes: str) -> Any:
    """Append a child element in the namespace of its parent, and return it."""
    element = etree.SubElement(parent, qualify_name(etree.QName(parent).namespace or "", name), attributes)
    element.text = text
    return element


def serialize(root: Any, *, pretty: bool = True) -> bytes:
    """Serialize a document as UTF-8, with what comes before and after its root element.

    Args:
        root: the root element.
        pretty: indent the elements; otherwise whitespace stays as it is.
    """
    tree = root.getroottree()
    standalone = ' standalone="yes"' if tree.docinfo.standalone else ""
    body = etree.tostring(tree, encoding="UTF-8", xml_declaration=False, pretty_print=pretty)
    return f'<?xml version="1.0" encoding="UTF-8"{standalone}?>\n'.encode() + bytes(body).rstrip(b"\n") + b"\n"

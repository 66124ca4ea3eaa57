"""What the files written here share as XML: their ids, their confidences, their bytes."""

import re
from collections.abc import Iterable
from typing import Any

from lxml import etree

from htr_lightning.reading.page import PredictedLine, PredictedPage, PredictedRegion
from htr_lightning.version import __version__

SOFTWARE = "htr-lightning"
SOFTWARE_VERSION = f"{SOFTWARE} {__version__}"

_START = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_NO_NAME = re.compile(f"[^{_START}\\-.0-9\u00b7\u0300-\u036f\u203f\u2040]")


class Ids:
    """The ids of a file: XML names without a colon, none twice.

    Args:
        taken: ids that the file has already.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def give(self, wanted: str) -> str:
        """Return an id, as it is wanted if it is a name that is not taken."""
        name = _NO_NAME.sub("_", wanted)
        if not re.match(f"[{_START}]", name):
            name = f"_{name}"
        id, number = name, 2
        while id in self._taken:
            id, number = f"{name}_{number}", number + 1
        self._taken.add(id)
        return id


def named(page: PredictedPage, ids: Ids) -> list[tuple[str, PredictedRegion, list[tuple[str, PredictedLine]]]]:
    """Return the regions and lines of a page, each with its id in the file: before anything else takes it."""
    return [
        (ids.give(region.id), region, [(ids.give(line.id), line) for line in region.lines]) for region in page.regions
    ]


def confidence(value: float) -> str:
    """Write a confidence as a number from 0 to 1, to four places."""
    return f"{min(max(value, 0.0), 1.0):.4f}"


def name_in(namespace: str, name: str) -> str:
    """Return a name as lxml wants it, in a namespace or (the empty string) in none."""
    return f"{{{namespace}}}{name}" if namespace else name


def add(parent: Any, name: str, text: str | None = None, /, **attributes: str) -> Any:
    """Add an element to another one, in its namespace."""
    element = etree.SubElement(parent, name_in(etree.QName(parent).namespace or "", name), attributes)
    element.text = text
    return element


def to_bytes(root: Any, *, pretty: bool = True) -> bytes:
    """Return a file as UTF-8, with all that stands before and after its outermost element.

    Args:
        root: the outermost element.
        pretty: indent it; else every space stays as it is.
    """
    tree = root.getroottree()
    alone = ' standalone="yes"' if tree.docinfo.standalone else ""
    body = etree.tostring(tree, encoding="UTF-8", xml_declaration=False, pretty_print=pretty)
    return f'<?xml version="1.0" encoding="UTF-8"{alone}?>\n'.encode() + bytes(body).rstrip(b"\n") + b"\n"

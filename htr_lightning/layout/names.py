"""Line ids, reading orders and image names of layout files."""

import re
from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import unquote

_T = TypeVar("_T")

_URL = re.compile(r"(?P<scheme>file(?=:)|[A-Za-z][A-Za-z0-9+.-]+(?=://)):(?://[^/]*)?(?P<path>.*)", re.IGNORECASE)


def make_unique_ids(written: Sequence[str]) -> list[str]:
    """Return a unique id for each line of a page.

    Args:
        written: the ids in the file, in its order; empty for lines without one.

    Returns:
        The ids. A repeated id gets the suffix ``_2``, ``_3`` ..., and a line without id is named after its position,
        ``line_0001``. Suffixes that would repeat an id of the file are skipped.
    """
    taken, used = set(written), {""}
    suffixes = dict.fromkeys(written, 2)
    ids = []
    for position, name in enumerate(written, start=1):
        id = base = name or f"line_{position:04d}"
        if name in used and base in taken:
            while (id := f"{base}_{suffixes.setdefault(base, 2)}") in taken:
                suffixes[base] += 1
        taken.add(id)
        used.add(name)
        ids.append(id)
    return ids


def sort_by_reading_order(items: Sequence[_T], names: Sequence[Sequence[str]], order: Sequence[str]) -> list[_T]:
    """Sort lines by a reading order that names lines, or regions for all lines in them.

    Args:
        items: lines in the order of the file.
        names: for each line, its id and the ids of the elements that contain it, the innermost first.
        order: ids in reading order; if an id is repeated, its first position counts.

    Returns:
        The lines, sorted by the position of the first of their names in the order; lines without one come last.
        Ties keep the order of the file.
    """
    position = {name: index for index, name in reversed(list(enumerate(order)))}
    positions = [next((position[name] for name in own if name in position), len(order)) for own in names]
    return [items[index] for index in sorted(range(len(items)), key=positions.__getitem__)]


def parse_image_name(written: str) -> str:
    """Return the path in the image name of a layout file.

    In a URL, host and query are removed and percent-encoding is decoded (``file:///scans/a%20b.jpg`` gives
    ``/scans/a b.jpg``, ``https://host/iiif/a.jpg?x=1`` gives ``iiif/a.jpg``); backslashes become slashes.
    """
    path = written.strip().replace("\\", "/")
    url = _URL.fullmatch(path)
    if not url:
        return path
    if url["scheme"].lower() != "file":
        return unquote(re.split(r"[?#]", url["path"])[0]).lstrip("/")
    path = unquote(url["path"])
    return path.lstrip("/") if re.match(r"/+[A-Za-z]:/", path) else path

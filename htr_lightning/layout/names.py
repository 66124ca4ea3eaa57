"""What things are called in layouts: lines by ids, their order by these ids, the page's image by a path or URL."""

import re
from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import unquote

_T = TypeVar("_T")

_URL = re.compile(r"(?P<scheme>file(?=:)|[A-Za-z][A-Za-z0-9+.-]+(?=://)):(?://[^/]*)?(?P<path>.*)", re.IGNORECASE)


def make_unique_ids(written: Sequence[str]) -> list[str]:
    """Return an id for each line of a page.

    Args:
        written: the ids as the file has them, in its order; empty where it has none.

    Returns:
        The ids; a later one that repeats an earlier one gets ``_2``, ``_3`` ... at its end, and the line without an
        id is called by its place, ``line_0001``. Numbers that would repeat an id of the file are passed over.
    """
    taken, seen = set(written), {""}
    numbers = dict.fromkeys(written, 2)
    ids = []
    for place, name in enumerate(written, start=1):
        id = wanted = name or f"line_{place:04d}"
        if name in seen and wanted in taken:
            while (id := f"{wanted}_{numbers.setdefault(wanted, 2)}") in taken:
                numbers[wanted] += 1
        taken.add(id)
        seen.add(name)
        ids.append(id)
    return ids


def sort_by_reading_order(items: Sequence[_T], names: Sequence[Sequence[str]], order: Sequence[str]) -> list[_T]:
    """Sort by an order that names lines, or regions for all that lies in them.

    Args:
        items: in the order of the file.
        names: of each item: its id and the ids of all it lies in, the innermost first.
        order: the ids in reading order; of one that is there twice, the first place counts.

    Returns:
        The items by the place of the first of their names that the order has; what it does not name comes last.
        What has the same place stays in the order of the file.
    """
    place = {name: number for number, name in reversed(list(enumerate(order)))}
    places = [next((place[name] for name in own if name in place), len(order)) for own in names]
    return [items[number] for number in sorted(range(len(items)), key=places.__getitem__)]


def parse_image_name(written: str) -> str:
    """Return the path in what a layout calls its image.

    Of a URL, host, query and percent signs are taken away (``file:///scans/a%20b.jpg`` is ``/scans/a b.jpg``,
    ``https://host/iiif/a.jpg?x=1`` is ``iiif/a.jpg``); backslashes become slashes.
    """
    path = written.strip().replace("\\", "/")
    url = _URL.fullmatch(path)
    if not url:
        return path
    if url["scheme"].lower() != "file":
        return unquote(re.split(r"[?#]", url["path"])[0]).lstrip("/")
    path = unquote(url["path"])
    return path.lstrip("/") if re.match(r"/+[A-Za-z]:/", path) else path

"""Safe parsing of XML files from untrusted sources."""

from pathlib import Path
from typing import Any

import numpy as np
from lxml import etree

from htr_lightning.image.files import DataError
from htr_lightning.image.straighten import Points

MAX_BYTES = 50_000_000
"""Largest size of a file; its tree takes up to fifty times as much memory."""
MAX_POINTS = 10_000
"""Largest number of points of an outline or baseline; the time to crop a line grows with it."""

_EXPORT_AGAIN = "export it again, or remove it from the dataset"
_SEPARATORS = str.maketrans(",()", "   ")


def read_xml(path: Path, *, allow_external_dtd: bool = False, keep_comments: bool = False) -> Any:
    """Parse a file and return its root element (lxml).

    A file that declares entities is refused; no other file and no network address is opened.

    Args:
        path: the file.
        allow_external_dtd: ignore the DTD that the file references, instead of refusing the file.
        keep_comments: keep comments and CDATA sections, for a file that is written again.

    Raises:
        DataError: the file is missing, empty, larger than `MAX_BYTES`, not well-formed (truncated, for example), or
            declares entities.
    """
    options = {"remove_comments": not keep_comments, "strip_cdata": not keep_comments}
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, **options)
    content = _read_content(path)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise DataError(
            f"the XML is not well-formed ({' '.join(str(error.msg).split())}), perhaps truncated",
            file=path,
            remedy=_EXPORT_AGAIN,
            kind="damaged",
        ) from None
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and ((dtd.system_url and not allow_external_dtd) or next(dtd.iterentities(), None) is not None):
        raise DataError(
            "declares entities or an external DTD, which are unsafe",
            file=path,
            remedy="remove its DOCTYPE",
            kind="entities",
        )
    return root


def read_root_name(path: Path) -> str:
    """Return the name of a file's root element, without namespace and without reading on; empty if it is damaged."""
    try:
        with path.open("rb") as file:
            options = {"resolve_entities": False, "no_network": True, "load_dtd": False}
            for _, element in etree.iterparse(file, events=("start",), **options):
                return get_local_name(element)
    except (OSError, etree.XMLSyntaxError):
        pass
    return ""


def _read_content(path: Path) -> bytes:
    """Read a file.

    Raises:
        DataError: the file is missing, empty or larger than `MAX_BYTES`.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(
                f"the file is larger than {MAX_BYTES // 10**6} MB, too large for the layout of a page",
                file=path,
                remedy="remove it",
                kind="too_large",
            )
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError("there is no such file", file=path, remedy="check the path", kind="missing") from None
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.strerror})", file=path, remedy="check permissions and disk", kind="unreadable"
        ) from None
    if not content.strip():
        raise DataError("the file is empty", file=path, remedy=_EXPORT_AGAIN, kind="empty")
    return content


def get_local_name(element: Any) -> str:
    """Return the name of an element without its namespace; the empty string for comments and the like."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def get_namespace(element: Any) -> str:
    """Return the namespace of an element; the empty string if it has none."""
    return (etree.QName(element).namespace or "") if isinstance(element.tag, str) else ""


def get_only_element(root: Any, name: str, path: Path) -> Any:
    """Return the only element of a name, at any depth.

    Raises:
        DataError: there is none, or more than one.
    """
    elements = list(root.iter(f"{{*}}{name}"))
    if not elements:
        raise DataError(f"there is no {name} element", file=path, remedy=_EXPORT_AGAIN, kind="malformed")
    if len(elements) > 1:
        raise DataError(
            f"there are {len(elements)} {name} elements, but only one is supported, as a file names one image",
            file=path,
            remedy="export each page to a file of its own",
            kind="malformed",
        )
    return elements[0]


def parse_points(written: str) -> Points:
    """Parse points as ALTO and PAGE write them: ``1,2 3,4``, ``1 2 3 4`` or ``(1,2) (3,4)``, integers or decimals.

    Returns:
        ``(n, 2)`` float32; ``(0, 2)`` for an empty string.

    Raises:
        ValueError: a coordinate is not a finite number, or their number is odd or above twice `MAX_POINTS`; its text
            is a predicate such as ``has 5 coordinates, an odd number``.
    """
    fields = written.translate(_SEPARATORS).split(maxsplit=2 * MAX_POINTS)
    if len(fields) > 2 * MAX_POINTS:
        raise ValueError(f"has more than {MAX_POINTS:,} points")
    try:
        numbers = np.array([float(field) for field in fields], np.float64)
    except ValueError:
        wrong = next(field for field in fields if not _is_number(field))
        raise ValueError(f"has {wrong!r} where a number belongs") from None
    if not np.isfinite(numbers).all():
        raise ValueError("has a coordinate that is not finite (NaN or infinite)")
    if np.abs(numbers).max(initial=0) > 1e7:
        raise ValueError("has a coordinate beyond 10,000,000")
    if len(numbers) % 2:
        raise ValueError(f"has {len(numbers)} coordinates, an odd number")
    return numbers.astype(np.float32).reshape(-1, 2)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def find_attribute(element: Any, name: str) -> str | None:
    """Return an attribute of an element, or of the closest one around it that has it."""
    around = (element, *element.iterancestors())
    return next((value for element in around if (value := element.get(name))), None)

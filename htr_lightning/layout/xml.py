"""XML from anywhere, read without trusting it."""

from pathlib import Path
from typing import Any

import numpy as np
from lxml import etree

from htr_lightning.image.files import DataError
from htr_lightning.image.straighten import Points

MAX_BYTES = 200_000_000

_SEPARATORS = str.maketrans(",()", "   ")


def read_xml(path: Path, *, external_dtd: bool = False, keep_comments: bool = False) -> Any:
    """Parse a file and return its root element (lxml).

    No file that declares entities is accepted; no other file and no network address is opened.

    Args:
        path: the file.
        external_dtd: pass over the DTD that the file names, instead of refusing the file.
        keep_comments: keep comments and CDATA sections, for a file that is written again.

    Raises:
        DataError: the file is missing, empty, larger than `MAX_BYTES`, not well-formed (truncated, for example), or
            declares entities of its own.
    """
    kept = {"remove_comments": not keep_comments, "strip_cdata": not keep_comments}
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, **kept)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: larger than {MAX_BYTES // 10**6} MB, which no layout of a page is; remove it")
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check permissions and disk") from None
    if not content.strip():
        raise DataError(f"{path}: the file is empty; export it again, or remove it from the data set")
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise DataError(
            f"{path}: is not well-formed XML ({error.msg}); was it cut off? Export it again, or remove it"
        ) from None
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and (
        (declared.system_url and not external_dtd) or next(declared.iterentities(), None) is not None
    ):
        raise DataError(f"{path}: declares entities or an external DTD, which are never followed; remove its DOCTYPE")
    return root


def get_local_name(element: Any) -> str:
    """Return an element's name without its namespace; the empty string for what is no element."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def get_namespace(element: Any) -> str:
    """Return the namespace of an element; the empty string when it has none."""
    return (etree.QName(element).namespace or "") if isinstance(element.tag, str) else ""


def get_only_element(root: Any, name: str, path: Path) -> Any:
    """Return the one element of a name that a file of one page must have, wherever in the file it is.

    Raises:
        DataError: there is none, or more than one.
    """
    found = list(root.iter(f"{{*}}{name}"))
    if not found:
        raise DataError(f"{path}: has no {name} element; export it again, or remove it from the data set")
    if len(found) > 1:
        raise DataError(
            f"{path}: has {len(found)} {name} elements, but one file can name the image of one page only; export each "
            "page to a file of its own"
        )
    return found[0]


def parse_points(written: str) -> Points:
    """Read points as ALTO and PAGE write them: ``1,2 3,4``, ``1 2 3 4`` or ``(1,2) (3,4)``, whole or broken numbers.

    Returns:
        ``(n, 2)`` float32; ``(0, 2)`` of an empty string.

    Raises:
        ValueError: not numbers, an odd number of them, or not finite; half a sentence that says which.
    """
    fields = written.translate(_SEPARATORS).split()
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

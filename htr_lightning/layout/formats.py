"""Layout formats, recognized by the root element of a file."""

from pathlib import Path
from typing import Any

from htr_lightning.image.files import DataError
from htr_lightning.layout import alto, page_xml
from htr_lightning.layout.page import Page
from htr_lightning.layout.xml import get_local_name, read_xml

FORMATS = {"alto": alto, "page_xml": page_xml}
TITLES = {"alto": "ALTO", "page_xml": "PAGE"}


def detect_format(path: Path) -> str:
    """Detect which of `FORMATS` a layout file has.

    Raises:
        DataError: the file is damaged, or of an unsupported format.
    """
    return detect_root_format(read_xml(path), path)


def detect_root_format(root: Any, path: Path) -> str:
    """Detect which of `FORMATS` a parsed file has.

    Raises:
        DataError: the format is unsupported.
    """
    for name, module in FORMATS.items():
        if module.matches(root):
            return name
    raise DataError(
        f"the file is neither {' nor '.join(TITLES.values())}, as its root element is {get_local_name(root)!r}",
        file=path,
        remedy="export it in one of these formats",
        kind="unknown_format",
    )


def is_layout_file(path: Path) -> bool:
    """Return whether a file is a layout file, or damaged, so that reading it will report the error."""
    try:
        root = read_xml(path)
    except DataError:
        return True
    return any(module.matches(root) for module in FORMATS.values())


def read_layout(path: Path) -> Page:
    """Read a layout file of any of `FORMATS`.

    Raises:
        DataError: the file is damaged, or of an unsupported format.
    """
    root = read_xml(path)
    page: Page = FORMATS[detect_root_format(root, path)].parse_page(root, path)
    return page

"""The formats of layouts, told apart by the first element of a file."""

from pathlib import Path

from htr_lightning.image.files import DataError
from htr_lightning.layout import alto, page_xml
from htr_lightning.layout.page import Page
from htr_lightning.layout.xml import get_local_name, read_xml

FORMATS = {"alto": alto, "page_xml": page_xml}
TITLES = {"alto": "ALTO", "page_xml": "PAGE"}


def detect_format(path: Path) -> str:
    """Return which of `FORMATS` a layout file is of.

    Raises:
        DataError: the file is damaged, or of no format read here.
    """
    root = read_xml(path)
    for name, module in FORMATS.items():
        if module.matches(root):
            return name
    raise DataError(f"{path}: is neither {' nor '.join(TITLES.values())}; its first element is {get_local_name(root)}")


def matches(path: Path) -> bool:
    """Return whether a file is a layout, or is so damaged that it cannot be told."""
    try:
        root = read_xml(path)
    except DataError:
        return True
    return any(module.matches(root) for module in FORMATS.values())


def read_layout(path: Path) -> Page:
    """Read a layout file of whichever format.

    Raises:
        DataError: the file is damaged, or of no format read here.
    """
    page: Page = FORMATS[detect_format(path)].parse_page(read_xml(path), path)
    return page

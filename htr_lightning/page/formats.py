"""The formats of layouts, told apart by the first element of a file."""

from pathlib import Path

from htr_lightning.data.line import DataError
from htr_lightning.page import alto, page_xml
from htr_lightning.page.layout import Page
from htr_lightning.page.xml import local_name, read_xml

FORMATS = {"alto": alto, "page_xml": page_xml}
TITLES = {"alto": "ALTO", "page_xml": "PAGE"}


def read_page(path: Path) -> Page:
    """Read a layout file of whichever format.

    Raises:
        DataError: the file is damaged, or of no format read here.
    """
    root = read_xml(path)
    if alto.matches(root):
        return alto.page_of(root, path)
    if page_xml.matches(root):
        return page_xml.page_of(root, path)
    raise DataError(f"{path}: is neither {' nor '.join(TITLES.values())}; its first element is {local_name(root)}")

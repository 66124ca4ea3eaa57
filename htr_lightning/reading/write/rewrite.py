"""Write what was read into the layout file that the lines came from, leaving everything else as it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from htr_lightning.image.files import DataError
from htr_lightning.layout import alto, page_xml
from htr_lightning.layout.formats import TITLES
from htr_lightning.layout.geometry import parse_page_size
from htr_lightning.layout.xml import get_local_name, get_only_element, read_xml
from htr_lightning.reading.page import PredictedLine
from htr_lightning.reading.write import rewrite_alto, rewrite_page_xml
from htr_lightning.reading.write.elements import to_bytes
from htr_lightning.reading.write.whole_pixels import Sheet


def rewrite_layout(path: Path, texts: Mapping[str, PredictedLine], image_size: tuple[int, int] | None = None) -> bytes:
    """Return a layout file with other texts and confidences; see `rewrite_alto` and `rewrite_page_xml` for the rules.

    What stays: all other elements and attributes, comments, processing instructions, CDATA sections, prefixes and the
    DOCTYPE. Only how the XML is spelled may change, as no program is to tell the difference: quotes, the space
    between attributes, ``<a></a>``; the encoding becomes UTF-8.

    Args:
        path: ALTO or PAGE, of any version that is read here.
        texts: lines by their ids, as the readers of these formats give them. One that has a problem, and one that is
            not here, stays as it was.
        image_size: width and height in px of the image in which the places of words are; they are scaled to the size
            that the file gives its page. None where they are in the unit of the file.

    Raises:
        DataError: the file cannot be read, is neither ALTO nor PAGE, or has no line of an id in ``texts``.
    """
    root = read_xml(path, keep_comments=True)
    if alto.matches(root):
        page = get_only_element(root, "Page", path)
        sheet = _sheet(path, page.get("WIDTH"), page.get("HEIGHT"), image_size)
        for line, reading in _pairs(path, alto.find_text_lines(page), texts):
            rewrite_alto.rewrite_line(line, reading, sheet)
    elif page_xml.matches(root):
        page = get_only_element(root, "Page", path)
        sheet = _sheet(path, page.get("imageWidth"), page.get("imageHeight"), image_size)
        rewrite_page_xml.rewrite_lines(root, _pairs(path, page_xml.find_text_lines(page), texts), sheet)
    else:
        raise DataError(
            f"{path}: is neither {' nor '.join(TITLES.values())}; its first element is {get_local_name(root)}"
        )
    return to_bytes(root, pretty=False)


def _pairs(path: Path, lines: dict[str, Any], texts: Mapping[str, PredictedLine]) -> list[tuple[Any, PredictedLine]]:
    unknown = [id for id in texts if id not in lines]
    if unknown:
        raise DataError(f"{path}: has no line {unknown[0]!r}; was the text read from another file?")
    return [(lines[id], reading) for id, reading in texts.items() if not reading.problem]


def _sheet(path: Path, width: str | None, height: str | None, image_size: tuple[int, int] | None) -> Sheet:
    size = parse_page_size(path, width, height)
    if size is None:
        return Sheet()
    scale = (size[0] / image_size[0], size[1] / image_size[1]) if image_size else (1.0, 1.0)
    return Sheet(*size, scale)

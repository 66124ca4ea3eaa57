"""Write predictions into the layout file that the lines came from, leaving everything else unchanged."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from htr_lightning.image.files import DataError
from htr_lightning.layout import alto, page_xml
from htr_lightning.layout.formats import detect_root_format
from htr_lightning.layout.geometry import parse_page_size
from htr_lightning.layout.xml import get_only_element, read_xml
from htr_lightning.reading.page import PredictedLine
from htr_lightning.reading.pixel_grid import PixelGrid
from htr_lightning.reading.write import rewrite_alto, rewrite_page_xml
from htr_lightning.reading.write.elements import serialize


def rewrite_layout(path: Path, lines: Mapping[str, PredictedLine], image_size: tuple[int, int] | None = None) -> bytes:
    """Return a layout file with new texts and confidences; see `rewrite_alto` and `rewrite_page_xml` for the rules.

    All other elements and attributes, comments, processing instructions, CDATA sections, prefixes and the DOCTYPE
    stay. Only the spelling of the XML may change, which is the same to every parser: quotes, whitespace between
    attributes, ``<a></a>``. The encoding becomes UTF-8.

    Args:
        path: ALTO or PAGE file of any supported version.
        lines: predictions by line id, as the layout readers return the ids. Lines with a problem and lines that are
            missing here keep their text.
        image_size: width and height in px of the image that the outlines of words refer to; they are scaled to the
            page size of the file. None if they are in the unit of the file.

    Raises:
        DataError: the file cannot be read, is neither ALTO nor PAGE, or lacks one of the lines.
    """
    root = read_xml(path, keep_comments=True)
    if detect_root_format(root, path) == "alto":
        page = get_only_element(root, "Page", path)
        grid = _build_grid(path, page.get("WIDTH"), page.get("HEIGHT"), image_size)
        for element, line in _match_lines(path, alto.find_text_lines(page), lines):
            rewrite_alto.rewrite_line(element, line, grid)
    else:
        page = get_only_element(root, "Page", path)
        grid = _build_grid(path, page.get("imageWidth"), page.get("imageHeight"), image_size)
        rewrite_page_xml.rewrite_lines(root, _match_lines(path, page_xml.find_text_lines(page), lines), grid)
    return serialize(root, pretty=False)


def _match_lines(
    path: Path, elements: dict[str, Any], lines: Mapping[str, PredictedLine]
) -> list[tuple[Any, PredictedLine]]:
    """Return the TextLine element of each line that was read."""
    for id in lines:
        if id not in elements:
            problem = f"the file has no line {id!r}"
            remedy = "use the file that the lines were read from"
            raise DataError(problem, file=path, line_id=id, remedy=remedy, kind="unknown_line")
    return [(elements[id], line) for id, line in lines.items() if not line.problem]


def _build_grid(path: Path, width: str | None, height: str | None, image_size: tuple[int, int] | None) -> PixelGrid:
    size = parse_page_size(path, width, height)
    if size is None:
        return PixelGrid()
    scale = (size[0] / image_size[0], size[1] / image_size[1]) if image_size else (1.0, 1.0)
    return PixelGrid(*size, scale)

"""PDF that can be searched: the images of the pages, with invisible text where it is written."""

import contextlib
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.reading.page import PredictedLine, PredictedPage
from htr_lightning.reading.write.blank_font import ADVANCE, BlankFont
from htr_lightning.reading.write.elements import SOFTWARE_VERSION
from htr_lightning.reading.write.pdf_objects import Objects, date_string, text_string
from htr_lightning.reading.write.pieces import legal
from htr_lightning.reading.write.text_runs import runs

_POINTS_PER_INCH = 72


def write_pdf(
    pages: Iterable[PredictedPage], created: datetime | None = None, *, dpi: float = 300, quality: int = 85
) -> bytes:
    """Write pages as one document.

    The words of a line stand on its baseline, each as wide as it is written, in an invisible font of the line's
    height; a line without words is stretched over its outline. A line that has neither an outline nor a baseline nor
    words has no place, so it is not in the document.

    Args:
        pages: in the order of the document, with their pixels. Of each, no more than the compressed image is kept.
        created: when they were read; not written when None.
        dpi: pixels per inch of paper: what makes the size of the pages.
        quality: of the JPEG images, 1 to 95.

    Raises:
        ValueError: a page has no pixels.
    """
    objects, font = Objects(), BlankFont()
    tree, fonts = objects.reserve(), objects.reserve()
    numbers, title = [], ""
    for page in pages:
        numbers.append(_page(objects, font, page, (tree, fonts), dpi, quality))
        title = title or page.image_name
    objects.add(f"<< /F {font.write(objects)} 0 R >>", fonts)
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects.add(f"<< /Type /Pages /Kids [{kids}] /Count {len(numbers)} >>", tree)
    date = f" /CreationDate {date_string(created)}" if created else ""
    facts = f"/Title {text_string(legal(title))} /Producer {text_string(SOFTWARE_VERSION)}{date}"
    info = objects.add(f"<< {facts} >>")
    return objects.file(objects.add(f"<< /Type /Catalog /Pages {tree} 0 R >>"), info)


def _page(
    objects: Objects, font: BlankFont, page: PredictedPage, parents: tuple[int, int], dpi: float, quality: int
) -> int:
    """Add a page; return its number."""
    if page.pixels is None:
        raise ValueError(f"{page.image_name}: a PDF needs the image of its page, which was not kept; keep the pixels")
    tree, fonts = parents
    scale = _POINTS_PER_INCH / dpi
    width, height = (_number(scale * size) for size in (page.width_px, page.height_px))
    image = _image(objects, page.pixels, quality)
    text = "\n".join(row for line in page.lines for row in _text(line, font, page.height_px, scale))
    content = f"q {width} 0 0 {height} 0 0 cm /I Do Q\nBT 3 Tr\n{text}\nET"
    contents = objects.stream(content.encode("ascii"))
    return objects.add(
        f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 {width} {height}] /Contents {contents} 0 R "
        f"/Resources << /XObject << /I {image} 0 R >> /Font {fonts} 0 R >> >>"
    )


def _image(objects: Objects, pixels: NDArray[np.uint8], quality: int) -> int:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    height, width = pixels.shape[:2]
    colors = "/DeviceGray" if pixels.ndim == 2 else "/DeviceRGB"
    entries = (
        f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace {colors} /BitsPerComponent 8 "
        "/Filter /DCTDecode"
    )
    return objects.stream(buffer.getvalue(), entries, packed=False)


def _text(line: PredictedLine, font: BlankFont, page_height: float, scale: float) -> Iterator[str]:
    """Yield what writes a line: its font, and for each run where, how wide and what."""
    size_px, found = runs(line)
    if found:
        yield f"/F {_number(size_px * scale)} Tf"
    for run in found:
        across, down = run.end - run.start
        length = math.hypot(across, down)
        cosine, sine = across / length, -down / length
        x, y = run.start[0] * scale, (page_height - run.start[1]) * scale
        stretch = 100 * length / (len(run.text) * size_px * ADVANCE / 1000)
        turn = " ".join(_number(value, 5) for value in (cosine, sine, -sine, cosine))
        yield f"{_number(stretch)} Tz {turn} {_number(x)} {_number(y)} Tm {font.encode(run.text)} Tj"


def _number(value: float, places: int = 3) -> str:
    """Write a number without exponent, which PDF does not know."""
    return f"{value:.{places}f}".rstrip("0").rstrip(".")


def join_pdfs(documents: Sequence[Path], file: IO[bytes]) -> None:
    """Write one PDF with the pages of several files, without their titles.

    Raises:
        OSError: one of them is damaged, or the file cannot be written.
    """
    import pypdfium2

    try:
        with contextlib.ExitStack() as stack:
            whole = stack.enter_context(contextlib.closing(pypdfium2.PdfDocument.new()))
            for path in documents:
                whole.import_pages(stack.enter_context(contextlib.closing(pypdfium2.PdfDocument(path))))
            whole.save(file)
    except pypdfium2.PdfiumError as error:
        raise OSError(None, f"pages cannot be joined: {error}") from None

"""Write pages as searchable PDF: the images of the pages with invisible text over the handwriting."""

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

from htr_lightning.image.pdf import use_pdfium
from htr_lightning.reading.page import PredictedLine, PredictedPage
from htr_lightning.reading.write.blank_font import ADVANCE, BlankFont
from htr_lightning.reading.write.elements import SOFTWARE_VERSION
from htr_lightning.reading.write.pdf_objects import PdfObjects, encode_text_string, format_date
from htr_lightning.reading.write.text_runs import build_runs
from htr_lightning.reading.write.tokens import sanitize

_POINTS_PER_INCH = 72


def write_pdf(
    pages: Iterable[PredictedPage], created: datetime | None = None, *, dpi: float = 300, quality: int = 85
) -> bytes:
    """Return pages as one PDF document.

    The words of a line are set on its baseline in an invisible font of the line's height, each stretched to its width
    on the page. A line without words is stretched to the width of its outline. A line without outline, baseline and
    words has no position, so its text is left out.

    Args:
        pages: in the order of the document, with their pixels. Only the compressed image of each is kept in memory.
        created: time of the recognition; None leaves it out.
        dpi: pixels per inch of paper; sets the size of the pages.
        quality: of the JPEG images, 1 to 95.

    Raises:
        ValueError: a page has no pixels.
    """
    objects, font = PdfObjects(), BlankFont()
    page_tree, fonts = objects.reserve(), objects.reserve()
    numbers, title = [], ""
    for page in pages:
        numbers.append(_add_page(objects, font, page, (page_tree, fonts), dpi, quality))
        title = title or page.image_name
    objects.add(f"<< /F {font.add_to(objects)} 0 R >>", fonts)
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects.add(f"<< /Type /Pages /Kids [{kids}] /Count {len(numbers)} >>", page_tree)
    date = f" /CreationDate {format_date(created)}" if created else ""
    entries = f"/Title {encode_text_string(sanitize(title))} /Producer {encode_text_string(SOFTWARE_VERSION)}{date}"
    info = objects.add(f"<< {entries} >>")
    return objects.serialize(objects.add(f"<< /Type /Catalog /Pages {page_tree} 0 R >>"), info)


def join_pdfs(documents: Sequence[Path], file: IO[bytes]) -> None:
    """Write the pages of several PDF files as one document, without their titles.

    Raises:
        OSError: an input file is damaged, or the output file cannot be written.
    """
    with use_pdfium() as pdfium:
        try:
            with contextlib.ExitStack() as stack:
                joined = stack.enter_context(contextlib.closing(pdfium.PdfDocument.new()))
                for path in documents:
                    joined.import_pages(stack.enter_context(contextlib.closing(pdfium.PdfDocument(path))))
                joined.save(file)
        except pdfium.PdfiumError as error:
            raise OSError(None, f"pages cannot be joined: {error}") from None


def _add_page(
    objects: PdfObjects, font: BlankFont, page: PredictedPage, parents: tuple[int, int], dpi: float, quality: int
) -> int:
    """Add a page; return its object number. The parents are the numbers of the page tree and the font resources."""
    if page.pixels is None:
        raise ValueError(f"{page.image_name}: a PDF needs the image of the page; keep the pixels of the PredictedPage")
    page_tree, fonts = parents
    scale = _POINTS_PER_INCH / dpi
    width, height = (_format_number(scale * size) for size in (page.width_px, page.height_px))
    image = _add_image(objects, page.pixels, quality)
    text = "\n".join(row for line in page.lines for row in _write_line(line, font, page.height_px, scale))
    content = f"q {width} 0 0 {height} 0 0 cm /I Do Q\nBT 3 Tr\n{text}\nET"
    contents = objects.add_stream(content.encode("ascii"))
    return objects.add(
        f"<< /Type /Page /Parent {page_tree} 0 R /MediaBox [0 0 {width} {height}] /Contents {contents} 0 R "
        f"/Resources << /XObject << /I {image} 0 R >> /Font {fonts} 0 R >> >>"
    )


def _add_image(objects: PdfObjects, pixels: NDArray[np.uint8], quality: int) -> int:
    """Add the image of a page as JPEG; return its object number."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    height, width = pixels.shape[:2]
    color_space = "/DeviceGray" if pixels.ndim == 2 else "/DeviceRGB"
    entries = (
        f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace {color_space} /BitsPerComponent 8 "
        "/Filter /DCTDecode"
    )
    return objects.add_stream(buffer.getvalue(), entries, compress=False)


def _write_line(line: PredictedLine, font: BlankFont, page_height: float, scale: float) -> Iterator[str]:
    """Yield the operators that show a line: its font size, then the stretch, text matrix and text of each run."""
    size_px, runs = build_runs(line)
    if runs:
        yield f"/F {_format_number(size_px * scale)} Tf"
    for run in runs:
        dx, dy = run.end - run.start
        length = math.hypot(dx, dy)
        cosine, sine = dx / length, -dy / length
        x, y = run.start[0] * scale, (page_height - run.start[1]) * scale
        stretch = 100 * length / (len(run.text) * size_px * ADVANCE / 1000)
        rotation = " ".join(_format_number(value, 5) for value in (cosine, sine, -sine, cosine))
        matrix = f"{rotation} {_format_number(x)} {_format_number(y)}"
        yield f"{_format_number(stretch)} Tz {matrix} Tm {font.encode(run.text)} Tj"


def _format_number(value: float, decimals: int = 3) -> str:
    """Format a number without an exponent, which PDF does not allow."""
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".")

"""Confirmed lines as a dataset: images with a manifest, which ``dataset=lines`` reads."""

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from PIL import Image

from htr_lightning.correction.page import LineShape, ProjectPage
from htr_lightning.correction.recognition import crop_lines, read_pixels
from htr_lightning.image.files import DataError

ConfirmedLine = tuple[ProjectPage, LineShape, str]
_HEADER = "image\ttext\tgroup"


def render_dataset(lines: Sequence[ConfirmedLine], split: str = "train") -> Iterator[tuple[str, bytes]]:
    """Yield the files of a dataset: name and content of each image, cropped as recognizers see it, then the manifest.

    Lines without text, and those that cannot be cropped, are left out.
    """
    rows = [_HEADER]
    for page, shape, text, content in render_crops(line for line in lines if line[2]):
        name = f"{split}/{page.key}_{shape.id}.png"
        rows.append(f"{name}\t{text}\t{page.name}".replace("\n", " "))
        yield name, content
    yield f"{split}.tsv", ("\n".join(rows) + "\n").encode()


def render_crops(lines: Iterable[ConfirmedLine]) -> Iterator[tuple[ProjectPage, LineShape, str, bytes]]:
    """Yield page, shape, text and PNG file of each line that can be cropped, page by page."""
    for _, group in groupby(lines, key=lambda line: line[0].key):
        given = list(group)
        page = given[0][0]
        try:
            pixels = read_pixels(page)
        except DataError:
            continue
        for (_, shape, text), crop in zip(given, crop_lines(pixels, [shape for _, shape, _ in given]), strict=True):
            if crop.pixels is not None:
                content = io.BytesIO()
                Image.fromarray(crop.pixels).save(content, "PNG")
                yield page, shape, text, content.getvalue()

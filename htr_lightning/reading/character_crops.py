"""Characters cut out of their lines: one image for each."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.decode.positions import Character, bounding_box
from htr_lightning.files import replacing, write_text
from htr_lightning.image.crop import rasterize_polygon
from htr_lightning.image.files import ImageFile
from htr_lightning.reading.lines import Prediction

INDEX = "index.tsv"
COLUMNS = ("image", "line", "place", "text", "confidence", "left", "top", "right", "bottom")


def crop_characters(
    image: NDArray[np.uint8], characters: Iterable[Character]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Cut characters out of the image that was read; spaces are left out.

    Args:
        image: ``(H, W)`` or ``(H, W, 3)`` uint8.
        characters: what stands in it.

    Yields:
        The place of a character in the text, from 0, and its pixels; around its outline is the paper's color.
    """
    height, width = image.shape[:2]
    paper = np.median(image.reshape(height * width, -1), axis=0).astype(np.uint8)
    for place, character in enumerate(characters):
        left, top, right, bottom = (round(value) for value in bounding_box(character.outline))
        left, top, right, bottom = max(0, left), max(0, top), min(width, right), min(height, bottom)
        if character.text == " " or right <= left or bottom <= top:
            continue
        glyph = image[top:bottom, left:right].copy()
        glyph[rasterize_polygon(np.array(character.outline) - (left, top), glyph.shape[:2]) == 0] = paper
        yield place, glyph


def write_character_crops(folder: Path, readings: Iterable[Prediction], max_pixels: int) -> int:
    """Write every character of every line as a PNG file, in a folder for each line, and a table of all of them.

    Args:
        folder: where to; made if it is not there.
        readings: with characters; their ids are the paths of the images.
        max_pixels: most pixels of an image.

    Returns:
        How many images were written.

    Raises:
        OSError: something cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[object, ...]] = []
    for number, reading in enumerate(readings, 1):
        image = ImageFile(Path(reading.id)).read(max_pixels)
        inside = folder / f"{number:05d}-{Path(reading.id).stem}"
        inside.mkdir(exist_ok=True)
        for place, pixels in crop_characters(image, reading.characters):
            character = reading.characters[place]
            path = inside / f"{place + 1:03d}-U+{ord(character.text):04X}.png"
            with replacing(path) as file:
                Image.fromarray(pixels).save(file, "PNG")
            box = (round(value, 1) for value in bounding_box(character.outline))
            name = path.relative_to(folder).as_posix()
            rows.append((name, reading.id, place + 1, character.text, round(character.confidence, 4), *box))
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
    writer.writerows([COLUMNS, *rows])
    write_text(folder / INDEX, out.getvalue())
    return len(rows)

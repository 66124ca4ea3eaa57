"""Images of single characters, cropped from their lines."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from htr_lightning.decode.positions import Character, bounding_box
from htr_lightning.files import atomic_write, write_text
from htr_lightning.image.crop import rasterize_polygon
from htr_lightning.image.line_image import ImageFile
from htr_lightning.reading.lines import Prediction
from htr_lightning.report.outputs import PICTURE, Output, mark_png, table_kind

INDEX = "index.tsv"
COLUMNS = ("image", "line", "place", "text", "confidence", "left", "top", "right", "bottom")


def crop_characters(
    image: NDArray[np.uint8], characters: Iterable[Character]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Crop characters from the image of their line; spaces are left out.

    Args:
        image: ``(H, W)`` or ``(H, W, 3)`` uint8.
        characters: of the line, with outlines in px of the image.

    Yields:
        The index of a character in the text, from 0, and its pixels; outside its outline they have the paper color.
    """
    height, width = image.shape[:2]
    paper = np.median(image.reshape(height * width, -1), axis=0).astype(np.uint8)
    for index, character in enumerate(characters):
        left, top, right, bottom = (round(value) for value in bounding_box(character.outline))
        left, top, right, bottom = max(0, left), max(0, top), min(width, right), min(height, bottom)
        if character.text == " " or right <= left or bottom <= top:
            continue
        crop = image[top:bottom, left:right].copy()
        crop[rasterize_polygon(np.array(character.outline) - (left, top), crop.shape[:2]) == 0] = paper
        yield index, crop


def list_outputs(folder: Path, ids: Sequence[str], key: str) -> Iterator[Output]:
    """Yield the files that `write_character_crops` may write, for `htr_lightning.report.outputs.check_outputs`.

    Args:
        folder: to write into.
        ids: of the predictions, the paths of the line images.
        key: option that names the folder.
    """
    yield Output(folder / INDEX, table_kind(*COLUMNS), key=key, folder=folder)
    for number, id in enumerate(ids, 1):
        for path in _line_folder(folder, number, id).glob("*-U+*.png"):
            yield Output(path, PICTURE, key=key, folder=folder)


def _line_folder(folder: Path, number: int, id: str) -> Path:
    return folder / f"{number:05d}-{Path(id).stem}"


def write_character_crops(folder: Path, predictions: Iterable[Prediction], max_pixels: int) -> int:
    """Write each character of each line as a PNG file, in one folder per line, and a table of all of them.

    Args:
        folder: created if missing.
        predictions: with characters; their ids are the paths of the line images.
        max_pixels: limit of width times height of a line image.

    Returns:
        The number of PNG files.

    Raises:
        DataError: a line image cannot be read.
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[object, ...]] = []
    for number, prediction in enumerate(predictions, 1):
        image = ImageFile(Path(prediction.id)).read(max_pixels)
        line_folder = _line_folder(folder, number, prediction.id)
        line_folder.mkdir(exist_ok=True)
        for index, pixels in crop_characters(image, prediction.characters):
            character = prediction.characters[index]
            path = line_folder / f"{index + 1:03d}-U+{ord(character.text):04X}.png"
            with atomic_write(path) as file:
                Image.fromarray(pixels).save(file, "PNG", pnginfo=mark_png())
            box = (round(value, 1) for value in bounding_box(character.outline))
            name = path.relative_to(folder).as_posix()
            rows.append((name, prediction.id, index + 1, character.text, round(character.confidence, 4), *box))
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
    writer.writerows([COLUMNS, *rows])
    write_text(folder / INDEX, out.getvalue())
    return len(rows)

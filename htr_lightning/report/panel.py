"""Pictures of lines with their references and predictions."""

from collections.abc import Callable, Sequence
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from htr_lightning.decode.positions import Character

Color = tuple[int, int, int]

CORRECT_COLOR, WRONG_COLOR, TEXT_COLOR = (0, 110, 40), (190, 20, 20), (20, 20, 20)
_TINTS = (30, 110, 220), (240, 150, 0)  # alternating, to tell neighboring characters apart


def ink_to_gray(ink: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Convert ink (0..1) to gray pixels with white paper: the inverse of `htr_lightning.image.ink.to_ink`."""
    return np.asarray((255 * (1 - ink.clip(0, 1))).round(), np.uint8)


def load_font(size_px: int) -> ImageFont.FreeTypeFont:
    """Load the font of pictures, Noto Sans; the default font of Pillow lacks letters with diacritics."""
    folder = resources.files("fontpkg_noto_sans") / "files"
    upright = next(file for file in folder.iterdir() if file.name.startswith("NotoSans["))
    with resources.as_file(upright) as path:
        return ImageFont.truetype(str(path), size_px)


def blend_confidence(confidence: float, confident: Color = TEXT_COLOR, doubtful: Color = WRONG_COLOR) -> Color:
    """Return the color of a text by its confidence: ``confident`` at 1, ``doubtful`` at 0, a blend in between."""
    r, g, b = (round(confidence * c + (1 - confidence) * d) for c, d in zip(confident, doubtful, strict=True))
    return r, g, b


def draw_panel(
    rows: Sequence[tuple[NDArray[np.uint8], str, str]],
    size_px: int = 16,
    note: Callable[[int], str] | None = None,
    characters: Sequence[Sequence[Character]] | None = None,
) -> Image.Image:
    """Draw lines one below the other, each with its reference and, in green or red, its prediction.

    Args:
        rows: pixels ``(H, W)``, reference, prediction; if the reference is empty, the prediction is black.
        size_px: of the font.
        note: returns a text for each row, by its number, which is written before the prediction.
        characters: of the prediction of each row, drawn below their ink: the less confident, the redder.
    """
    font = load_font(size_px)
    gap, row_px = 8, size_px + 6
    characters_px = row_px if characters else 0
    texts = [text for _, *row_texts in rows for text in row_texts]
    width = max([pixels.shape[1] for pixels, _, _ in rows] + [int(font.getlength(text)) + 140 for text in texts])
    heights = [
        pixels.shape[0] + (2 if reference else 1) * row_px + characters_px + gap for pixels, reference, _ in rows
    ]
    panel = Image.new("RGB", (width + 2 * gap, sum(heights) + gap), "white")
    draw = ImageDraw.Draw(panel)
    y = gap
    for number, (pixels, reference, prediction) in enumerate(rows):
        panel.paste(Image.fromarray(pixels), (gap, y))
        if characters:
            draw_characters(panel, characters[number], (gap, y), pixels.shape[0], font)
        y += pixels.shape[0] + characters_px
        if reference:
            draw.text((gap, y), reference, TEXT_COLOR, font)
            y += row_px
        color = TEXT_COLOR if not reference else CORRECT_COLOR if reference == prediction else WRONG_COLOR
        draw.text((gap, y), (f"{note(number)}  " if note else "") + prediction, color, font)
        y += row_px + gap
    return panel


def draw_characters(
    panel: Image.Image,
    characters: Sequence[Character],
    origin: tuple[int, int],
    height_px: int,
    font: ImageFont.FreeTypeFont,
) -> None:
    """Draw the positions of characters: tints over the line, and each character below its ink.

    Args:
        panel: to draw on, with the line in it.
        characters: of the line.
        origin: of the line on the panel, its top left corner (x, y).
        height_px: of the line.
        font: of the characters.
    """
    tints = Image.new("RGBA", panel.size, (255, 255, 255, 0))
    draw = ImageDraw.Draw(tints)
    for number, character in enumerate(c for c in characters if c.text != " "):
        box = (origin[0] + character.start_px, origin[1], origin[0] + character.end_px, origin[1] + height_px)
        draw.rectangle(box, fill=(*_TINTS[number % 2], 60))
        color = blend_confidence(character.confidence)
        center = origin[0] + (character.start_px + character.end_px) / 2
        draw.text((center, box[3] + 1), character.text, (*color, 255), font, anchor="ma")
    panel.paste(Image.alpha_composite(panel.convert("RGBA"), tints).convert("RGB"))

"""Pictures of lines with what they say and what was read in them."""

from collections.abc import Callable, Sequence
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from htr_lightning.decode.positions import Character

CORRECT_COLOR, WRONG_COLOR, TEXT_COLOR = (0, 110, 40), (190, 20, 20), (20, 20, 20)
_TINTS = (30, 110, 220), (240, 150, 0)  # of neighboring characters


def ink_to_gray(ink: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turn ink (0..1) back into gray pixels with white paper."""
    pixels: NDArray[np.uint8] = (255 * (1 - ink.clip(0, 1))).astype(np.uint8)
    return pixels


def load_font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return the typeface of pictures: Noto Sans, for Pillow's own lacks all letters with accents."""
    folder = resources.files("fontpkg_noto_sans") / "files"
    upright = next(file for file in folder.iterdir() if file.name.startswith("NotoSans["))
    with resources.as_file(upright) as path:
        return ImageFont.truetype(str(path), size_px)


def draw_panel(
    rows: Sequence[tuple[NDArray[np.uint8], str, str]],
    size_px: int = 16,
    note: Callable[[int], str] | None = None,
    characters: Sequence[Sequence[Character]] | None = None,
) -> Image.Image:
    """Draw lines one under the other, each with its reference and, in green or red, its hypothesis.

    Args:
        rows: pixels ``(H, W)``, reference, hypothesis; without a reference (empty) the hypothesis is black.
        size_px: of the type.
        note: a word for each row, by its number, written before the hypothesis.
        characters: of each row, the characters that were read, drawn under their ink: the redder, the less sure.
    """
    font = load_font(size_px)
    gap, step = 8, size_px + 6
    placed = step if characters else 0
    written = [text for _, *texts in rows for text in texts]
    width = max([pixels.shape[1] for pixels, _, _ in rows] + [int(font.getlength(t)) + 140 for t in written])
    heights = [pixels.shape[0] + (2 if reference else 1) * step + placed + gap for pixels, reference, _ in rows]
    panel = Image.new("RGB", (width + 2 * gap, sum(heights) + gap), "white")
    draw = ImageDraw.Draw(panel)
    y = gap
    for number, (pixels, reference, hypothesis) in enumerate(rows):
        panel.paste(Image.fromarray(pixels), (gap, y))
        if characters:
            draw_characters(panel, characters[number], (gap, y), pixels.shape[0], font)
        y += pixels.shape[0] + placed
        if reference:
            draw.text((gap, y), reference, TEXT_COLOR, font)
            y += step
        color = TEXT_COLOR if not reference else CORRECT_COLOR if reference == hypothesis else WRONG_COLOR
        draw.text((gap, y), (f"{note(number)}  " if note else "") + hypothesis, color, font)
        y += step + gap
    return panel


def draw_characters(
    panel: Image.Image,
    characters: Sequence[Character],
    origin: tuple[int, int],
    height_px: int,
    font: ImageFont.FreeTypeFont,
) -> None:
    """Draw where characters stand: tints over the line, and each character below its own.

    Args:
        panel: what is drawn on.
        characters: of a line that is drawn already.
        origin: its upper left corner on the panel, (x, y).
        height_px: of the line.
        font: of the characters.
    """
    tints = Image.new("RGBA", panel.size, (255, 255, 255, 0))
    draw = ImageDraw.Draw(tints)
    for number, character in enumerate(c for c in characters if c.text != " "):
        box = (origin[0] + character.start_px, origin[1], origin[0] + character.end_px, origin[1] + height_px)
        draw.rectangle(box, fill=(*_TINTS[number % 2], 60))
        sure = character.confidence
        color = tuple(
            round(sure * ink + (1 - sure) * wrong) for ink, wrong in zip(TEXT_COLOR, WRONG_COLOR, strict=True)
        )
        middle = origin[0] + (character.start_px + character.end_px) / 2
        draw.text((middle, box[3] + 1), character.text, (*color, 255), font, anchor="ma")
    panel.paste(Image.alpha_composite(panel.convert("RGBA"), tints).convert("RGB"))

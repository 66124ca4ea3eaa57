"""Pictures of lines with what they say and what was read in them."""

from collections.abc import Callable, Sequence
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

RIGHT, WRONG, INK = (0, 110, 40), (190, 20, 20), (20, 20, 20)


def paper_from_ink(ink: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turn ink (0..1) back into grey pixels with white paper."""
    pixels: NDArray[np.uint8] = (255 * (1 - ink.clip(0, 1))).astype(np.uint8)
    return pixels


def type_of(size_px: int) -> ImageFont.FreeTypeFont:
    """Return the typeface of pictures: Noto Sans, for Pillow's own lacks all letters with accents."""
    folder = resources.files("fontpkg_noto_sans") / "files"
    upright = next(file for file in folder.iterdir() if file.name.startswith("NotoSans["))
    with resources.as_file(upright) as path:
        return ImageFont.truetype(str(path), size_px)


def draw_panel(
    rows: Sequence[tuple[NDArray[np.uint8], str, str]],
    size_px: int = 16,
    note: Callable[[int], str] | None = None,
) -> Image.Image:
    """Draw lines one under the other, each with its reference and, in green or red, its hypothesis.

    Args:
        rows: pixels ``(H, W)``, reference, hypothesis; without a reference (empty) the hypothesis is black.
        size_px: of the type.
        note: a word for each row, by its number, written before the hypothesis.
    """
    font = type_of(size_px)
    gap, step = 8, size_px + 6
    written = [text for _, *texts in rows for text in texts]
    width = max([pixels.shape[1] for pixels, _, _ in rows] + [int(font.getlength(t)) + 140 for t in written])
    heights = [pixels.shape[0] + (2 if reference else 1) * step + gap for pixels, reference, _ in rows]
    panel = Image.new("RGB", (width + 2 * gap, sum(heights) + gap), "white")
    draw = ImageDraw.Draw(panel)
    y = gap
    for number, (pixels, reference, hypothesis) in enumerate(rows):
        panel.paste(Image.fromarray(pixels), (gap, y))
        y += pixels.shape[0]
        if reference:
            draw.text((gap, y), reference, INK, font)
            y += step
        colour = INK if not reference else RIGHT if reference == hypothesis else WRONG
        draw.text((gap, y), (f"{note(number)}  " if note else "") + hypothesis, colour, font)
        y += step + gap
    return panel

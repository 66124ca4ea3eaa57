"""Pages of characters like ideographs, below each other in columns, or in rows."""

import numpy as np
from PIL import Image, ImageDraw

SIZE_PX, COLUMN_PX = 40, 66


def draw_columns(
    *registers: tuple[int, int], columns: int = 10, width: int = 900, height: int = 1200, right: int = 120
) -> np.ndarray:
    """Draw columns of characters that stand upright below each other, from the top to the bottom of each register."""
    generator = np.random.default_rng(0)
    image = Image.new("L", (width, height), 240)
    for top, bottom in registers:
        for column in range(columns):
            x = width - right - column * COLUMN_PX
            for y in range(top + int(generator.integers(12)), bottom, SIZE_PX + 4):
                draw_ideograph(image, x - SIZE_PX // 2, y, generator)
    return np.asarray(image)


def draw_rows() -> np.ndarray:
    """Draw a page of rows of such characters."""
    return np.ascontiguousarray(np.rot90(draw_columns((80, 1100)), 1))


def draw_ideograph(image: Image.Image, left: int, top: int, generator: np.random.Generator) -> None:
    """Draw a character of strokes that fill a square."""
    draw, size = ImageDraw.Draw(image), SIZE_PX - 4
    for place in generator.choice(size, 3, replace=False).tolist():
        start, end = sorted(generator.choice(size, 2, replace=False).tolist())
        draw.line([(left + start // 2, top + place), (left + size - (size - end) // 2, top + place)], 40, 3)
        draw.line([(left + place, top + start // 2), (left + place, top + size - (size - end) // 2)], 40, 3)
    draw.line([(left + size // 2, top + size // 3), (left + int(generator.integers(size)), top + size)], 40, 3)

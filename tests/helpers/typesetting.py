"""Lines to test with: typeset, so that tests need no data and no fonts."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WORDS = ("bel", "ami", "le", "roi", "dit", "non", "et", "rit", "mal", "bon", "dada", "ciel")


def typeset(text: str, height_px: int = 32) -> Image.Image:
    """Draw a text black on white."""
    font = ImageFont.load_default(height_px * 0.7)
    image = Image.new("L", (int(font.getlength(text)) + 16, height_px), 255)
    ImageDraw.Draw(image).text((8, 2), text, 0, font)
    return image


def texts(number: int, seed: int = 0) -> list[str]:
    """Draw texts of two words."""
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(WORDS, 2)) for _ in range(number)]

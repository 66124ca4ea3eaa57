"""Lines to test with: typeset, so that tests need no data and no fonts."""

from collections.abc import Sequence
from pathlib import Path

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


def write_split(root: Path, lines: Sequence[str], split: str) -> None:
    """Write typeset texts as a split of a ``lines`` dataset."""
    (root / split).mkdir(parents=True, exist_ok=True)
    rows = ["image\ttext"]
    for number, text in enumerate(lines):
        typeset(text).save(root / split / f"{number}.png")
        rows.append(f"{split}/{number}.png\t{text}")
    (root / f"{split}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")

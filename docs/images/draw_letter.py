"""Draws docs/images/letter.jpg: an invented letter in open handwriting fonts, as a page to read without any data.

python docs/images/draw_letter.py docs/images/letter.jpg
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from htr_lightning.data.sources.fonts import find_fonts
from htr_lightning.data.sources.paper import apply_ink, draw_paper
from htr_lightning.data.sources.rendering import Style, render_line

WIDTH, HEIGHT, PITCH = 1600, 1020, 78
LETTER = """Le 3 mai, au bord de la rivière

Nous avons quitté la maison avant le jour,
avec du pain, deux lampes et le vieux chien.
La route était longue, mais personne
ne voulait dormir. À midi, le vent tourna.

Mon frère disait que la pluie viendrait.
Il avait raison : le soir, nous étions dans
une grange, et il chantait pour les enfants.
Demain, si le temps le permet, nous serons
chez toi. Garde-nous un peu de soupe."""


def draw_letter(seed: int = 3) -> Image.Image:
    """Return the page, gray."""
    generator = np.random.default_rng(seed)
    (face,) = find_fonts(["kalam"])["kalam"].faces[:1]
    style = Style(PITCH, 6, 0.01, 0.1, 0.015, 0.02, ink_width_px=0.6)
    ink = np.zeros((HEIGHT, WIDTH), np.float32)
    for number, text in enumerate(LETTER.splitlines()):
        if text:
            line = 1 - render_line(text, face, style, generator).image / 255
            top, left = 60 + number * (PITCH - 2), 90 + int(generator.normal(0, 5))
            ink[top : top + PITCH, left : left + line.shape[1]] += line
    paper = draw_paper((HEIGHT, WIDTH), HEIGHT / 2, 0.3, 0.0, generator)
    return Image.fromarray(apply_ink(paper, ink.clip(0, 1), 0.3, 0.3, generator))


if __name__ == "__main__":
    draw_letter().save(Path(sys.argv[1]), quality=60)

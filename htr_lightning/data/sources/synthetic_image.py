"""Images of synthetic lines, rendered when they are read."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.sources.fonts import Face, fingerprint_font
from htr_lightning.data.sources.rendering import RenderedLine, Style, render_line
from htr_lightning.image.files import MAX_PIXELS

_RENDERING = 1  # increment it when the same arguments give other pixels, so that lines are packed again


@dataclass(frozen=True, slots=True)
class SyntheticImage:
    """The image of a line, rendered when it is read.

    Attributes:
        text: text of the line; the font supports all its characters.
        face: font file and weight.
        seed: seed of everything that the style leaves to chance.
        style: how much the line may differ from print.
    """

    text: str
    face: Face
    seed: int
    style: Style

    @property
    def fingerprint(self) -> str:
        """A hash of all attributes and of the bytes of the font file."""
        font = fingerprint_font(self.face.path)
        parts = f"{_RENDERING}|{font}|{self.face.weight}|{self.seed}|{_describe_style(self.style)}|{self.text}"
        return blake2b(parts.encode(), digest_size=12).hexdigest()

    def read(self, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Return the pixels, gray ``(height_px, W)``.

        Raises:
            DataError: the font file is missing or not a font.
        """
        return self.render().image

    def render(self) -> RenderedLine:
        """Return the pixels and the extent of each character."""
        return render_line(self.text, self.face, self.style, np.random.default_rng(self.seed))


@lru_cache(maxsize=64)
def _describe_style(style: Style) -> str:
    """Return a style as text for fingerprints.

    The two options for capitals are left out where they are 0: they were added later and do not change the pixels.
    """
    return repr(style).replace(", block_capitals=0.0", "").replace(", stray_capitals=0.0", "")

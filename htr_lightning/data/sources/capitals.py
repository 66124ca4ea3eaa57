"""Writing styles that use capitals in place of small letters."""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase

import numpy as np

from htr_lightning.data.sources.fonts import Face, find_supported_characters


@dataclass(frozen=True, slots=True)
class CapitalStyle:
    """How capitals replace small letters in a line.

    Attributes:
        height: height of such a capital, as a fraction of the height of other capitals.
        letters: the small letters to replace, without accents; None for all.
    """

    height: float
    letters: frozenset[str] | None

    def replace(self, char: str, face: Face) -> str | None:
        """Return the capital that replaces a small letter; None if the character stays as it is."""
        if self.letters is not None and unicodedata.normalize("NFD", char)[0] not in self.letters:
            return None
        return _find_capital(char, face)


def sample_capital_style(
    block_probability: float, stray_probability: float, generator: np.random.Generator
) -> CapitalStyle | None:
    """Decide randomly whether capitals replace all small letters of a line, or some of them; None for neither.

    Args:
        block_probability: probability that capitals replace all small letters, 0..1.
        stray_probability: probability, of the other lines, that capitals replace some small letters, 0..1.
        generator: source of randomness; no number is drawn for a probability of 0.
    """
    letters = None
    if not block_probability or generator.random() >= block_probability:
        if not stray_probability or generator.random() >= stray_probability:
            return None
        fraction = generator.uniform(0.1, 0.8)
        letters = frozenset(letter for letter in ascii_lowercase if generator.random() < fraction)
    return CapitalStyle(float(generator.choice((0.7, 0.8, 0.9, 1.0))), letters)


@lru_cache(maxsize=4096)
def _find_capital(char: str, face: Face) -> str | None:
    """Return the capital of a small letter; None if it has none, or the font lacks it."""
    capital = char.upper()
    if capital == char or len(capital) > 1:
        return None
    return capital if find_supported_characters(face.path, frozenset(capital)) else None

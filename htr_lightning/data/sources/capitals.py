"""Hands that write capitals in place of small letters."""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase

import numpy as np

from htr_lightning.data.sources.fonts import Face, coverage


@dataclass(frozen=True, slots=True)
class Capitals:
    """How a hand writes capitals in place of small letters.

    Attributes:
        height: of a capital there, as a share of other capitals.
        letters: the small letters, without accents; None for all.
    """

    height: float
    letters: frozenset[str] | None

    def form(self, char: str, face: Face) -> str | None:
        """Return the capital that stands for a small letter, None for what is written as it is."""
        if self.letters is not None and unicodedata.normalize("NFD", char)[0] not in self.letters:
            return None
        return _capital(char, face)


def draw_capitals(block: float, stray: float, generator: np.random.Generator) -> Capitals | None:
    """Draw whether a hand writes capitals in place of all small letters, or of some; None where it does not.

    Args:
        block: share of the hands that write all letters so, 0..1.
        stray: share of the others that write some letters so, 0..1.
        generator: decides; where a share is 0, nothing is drawn for it.
    """
    letters = None
    if not block or generator.random() >= block:
        if not stray or generator.random() >= stray:
            return None
        share = generator.uniform(0.1, 0.8)
        letters = frozenset(letter for letter in ascii_lowercase if generator.random() < share)
    return Capitals(float(generator.choice((0.7, 0.8, 0.9, 1.0))), letters)


@lru_cache(maxsize=4096)
def _capital(char: str, face: Face) -> str | None:
    """Return the capital of a small letter that the font has, None for anything else."""
    capital = char.upper()
    if capital == char or len(capital) > 1 or capital not in coverage(face.path, frozenset(capital)):
        return None
    return capital

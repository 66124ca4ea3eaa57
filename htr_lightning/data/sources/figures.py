"""Texts in figures: ciphers, sums, rows of numbers, and the numbers of pages and paragraphs."""

import numpy as np

SYMBOLS = frozenset("0123456789 .,:-/[]()n°fpr")
"""All characters that the texts contain."""


def sample_figures(generator: np.random.Generator) -> str:
    """Return a long text in figures, such as a line of a cipher, or of an account."""
    kind = int(generator.integers(4))
    if kind == 0:  # a cipher without spaces
        return _sample_digits(generator, 25, 61)
    if kind == 1:
        return " ".join(_sample_digits(generator, 1, 7) for _ in range(int(generator.integers(5, 13))))
    if kind == 2:  # sums
        separator = str(generator.choice([".", ",", "-", ":", "/"]))
        parts = [_sample_digits(generator, 1, 5) + separator + _sample_digits(generator, 2, 3) for _ in range(4)]
        return "   ".join(parts)
    return "".join(str(generator.choice(list("0123456789 .,"))) for _ in range(int(generator.integers(20, 50)))).strip()


def sample_number(generator: np.random.Generator) -> str:
    """Return a short text, such as the number of a page, of a paragraph, or a year."""
    number = _sample_digits(generator, 1, 5)
    pattern = str(
        generator.choice(["{}", "{}", "{}", "{}.", "n° {}", "f° {}", "[{}]", "({})", "- {} -", "p. {}", "{} r"])
    )
    return pattern.format(number)


def _sample_digits(generator: np.random.Generator, low: int, high: int) -> str:
    return "".join(map(str, generator.integers(0, 10, int(generator.integers(low, high))).tolist()))

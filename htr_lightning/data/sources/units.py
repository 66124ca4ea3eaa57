"""Divides a text into what is drawn at once: characters, and runs of joining letters."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.sources.fonts import is_joining
from htr_lightning.directions.bidi import order_visually


@dataclass(frozen=True, slots=True)
class Unit:
    """What is drawn at once: a character, or a run of joining letters, whose shapes depend on each other.

    Attributes:
        text: in logical order.
        places: of its characters in the text of the line.
        is_shaped: whether it consists of joining letters.
    """

    text: str
    places: tuple[int, ...]
    is_shaped: bool


def find_units(text: str) -> list[Unit]:
    """Divide a text into what is drawn from left to right: characters, and runs of joining letters.

    Args:
        text: in logical order.
    """
    units: list[Unit] = []
    for character, place in order_visually(text):
        last = units[-1] if units else None
        if is_joining(character) and last is not None and last.is_shaped and place == last.places[0] - 1:
            units[-1] = Unit(character + last.text, (place, *last.places), is_shaped=True)
        else:
            units.append(Unit(character, (place,), is_joining(character)))
    return units


def divide_boxes(boxes: NDArray[np.float32], units: Sequence[Unit]) -> NDArray[np.float32]:
    """Return the boxes of the characters of a text; those of joining letters are equal parts of their word's."""
    divided = np.zeros((sum(len(unit.places) for unit in units), 2), np.float32)
    for (start, end), unit in zip(boxes.tolist(), units, strict=True):
        edges = np.linspace(end, start, len(unit.places) + 1) if unit.is_shaped else np.array([end, start])
        for place, right, left in zip(unit.places, edges[:-1], edges[1:], strict=True):
            divided[place] = left, right
    return divided

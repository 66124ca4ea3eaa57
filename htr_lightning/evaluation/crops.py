"""The few pixels that a report shows: the worst lines, and crops of the characters that were confused."""

import heapq
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from htr_lightning.decode.positions import Character
from htr_lightning.evaluation.confusion import Pair
from htr_lightning.evaluation.lines import ScoredLine

Pixels = NDArray[np.uint8]

NUM_WORST, NUM_SURE, NUM_CROPS = 20, 8, 8
_MARGIN = 0.3  # shown on both sides of a character, as a share of the line's height
_PAPER = 255
_FADED = 0.6  # how far what is beside the character is faded towards the paper


def worst_first(line: ScoredLine) -> tuple[float, int]:
    """Order lines by their error rate; of equal ones, those with more edits come first."""
    return line.cer, len(line.edits)


def most_confident_first(line: ScoredLine) -> tuple[float, int]:
    """Order lines by their confidence."""
    return line.confidence, len(line.edits)


class WrongLines:
    """The first lines in some order of all that have an error, and their pixels.

    Args:
        number: how many are kept.
        order: what is greatest comes first.
    """

    def __init__(self, number: int = NUM_WORST, order: Callable[[ScoredLine], tuple[float, int]] = worst_first) -> None:
        self.number, self.order = number, order
        self._heap: list[tuple[tuple[float, int], int, ScoredLine, Pixels]] = []
        self._seen = 0

    def offer(self, line: ScoredLine, pixels: Callable[[], Pixels]) -> None:
        """Keep a line if it is among the first; only then are its pixels asked for."""
        self._seen += 1
        place = (self.order(line), -self._seen)  # of equal lines, the first to come stays
        if line.is_correct or (len(self._heap) == self.number and place < self._heap[0][:2]):
            return
        heapq.heappush(self._heap, (*place, line, pixels().copy()))
        if len(self._heap) > self.number:
            heapq.heappop(self._heap)

    def lines(self) -> list[tuple[ScoredLine, Pixels]]:
        """Return what was kept, in order."""
        return [(line, pixels) for *_, line, pixels in sorted(self._heap, key=lambda kept: kept[:2], reverse=True)]


class Crops:
    """Pictures of characters that were read as others: a fair sample of each pair.

    Args:
        number: how many are kept of each pair.
        seed: of the sampling.
    """

    def __init__(self, number: int = NUM_CROPS, seed: int = 1) -> None:
        self.number = number
        self._generator = np.random.default_rng(seed)
        self._crops: dict[Pair, list[Pixels]] = {}
        self._seen: dict[Pair, int] = {}

    def offer(self, line: ScoredLine, pixels: Pixels, characters: Sequence[Character]) -> None:
        """Take part of a line: its substituted characters, each with the same chance (Vitter 1985, algorithm R).

        Args:
            line: aligned with its reference.
            pixels: ``(H, W)``, the line as the network saw it.
            characters: places of the hypothesis's characters in it; without them, or if they are not one for each
                character, nothing is taken.
        """
        if len(characters) != len(line.hypothesis):
            return
        for edit in line.edits:
            if edit.kind != "substitution":
                continue
            pair = line.reference[edit.written], line.hypothesis[edit.read]
            kept, seen = self._crops.setdefault(pair, []), self._seen.get(pair, 0)
            self._seen[pair] = seen + 1
            place = seen if seen < self.number else int(self._generator.integers(seen + 1))
            if place < self.number:
                kept[place : place + 1] = [crop(pixels, characters[edit.read])]

    def of(self, pair: Pair) -> list[Pixels]:
        """Return the crops of a pair."""
        return self._crops.get(pair, [])


def crop(pixels: Pixels, character: Character) -> Pixels:
    """Cut a character out of its line, with what stands beside it, faded.

    Args:
        pixels: ``(H, W)``, white paper.
        character: its place; what lies outside of the picture is left out.
    """
    height, width = pixels.shape
    margin = round(_MARGIN * height)
    start = min(max(0, int(character.start_px)), width - 1)
    end = max(start + 1, min(width, int(np.ceil(character.end_px))))
    left, right = max(0, start - margin), min(width, end + margin)
    cut = pixels[:, left:right].astype(np.float32)
    beside = np.ones(right - left, bool)
    beside[start - left : end - left] = False
    cut[:, beside] += _FADED * (_PAPER - cut[:, beside])
    return cut.round().astype(np.uint8)

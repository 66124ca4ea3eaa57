"""The pixels that a report shows: those of the worst lines, and crops of confused characters."""

import heapq
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from htr_lightning.decode.positions import Character
from htr_lightning.evaluation.confusion import Pair
from htr_lightning.evaluation.lines import ScoredLine

Pixels = NDArray[np.uint8]

NUM_WORST, NUM_MOST_CONFIDENT, NUM_CROPS = 20, 8, 8
_MARGIN = 0.3  # on both sides of a character, as a fraction of the line's height
_PAPER = 255
_FADING = 0.6  # of the margins towards the paper, 0..1


def rank_by_error_rate(line: ScoredLine) -> tuple[float, int]:
    """Return a sort key: the error rate, then the number of edits."""
    return line.cer, len(line.edits)


def rank_by_confidence(line: ScoredLine) -> tuple[float, int]:
    """Return a sort key: the confidence, then the number of edits."""
    return line.confidence, len(line.edits)


class WrongLines:
    """Keeps the highest-ranking lines of those with an error, and their pixels.

    Args:
        number: of lines to keep.
        rank: sort key; the lines with the greatest are kept.
    """

    def __init__(
        self, number: int = NUM_WORST, rank: Callable[[ScoredLine], tuple[float, int]] = rank_by_error_rate
    ) -> None:
        self.number, self.rank = number, rank
        self._heap: list[tuple[tuple[float, int], int, ScoredLine, Pixels]] = []
        self._num_offered = 0

    def offer(self, line: ScoredLine, load_pixels: Callable[[], Pixels]) -> None:
        """Keep a line if it ranks high enough; only then are its pixels loaded."""
        self._num_offered += 1
        key = (self.rank(line), -self._num_offered)  # of equal lines, the first is kept
        if line.is_correct or (len(self._heap) == self.number and key < self._heap[0][:2]):
            return
        heapq.heappush(self._heap, (*key, line, load_pixels().copy()))
        if len(self._heap) > self.number:
            heapq.heappop(self._heap)

    def get_lines(self) -> list[tuple[ScoredLine, Pixels]]:
        """Return the lines and their pixels, the highest-ranking first."""
        ordered = sorted(self._heap, key=lambda entry: entry[:2], reverse=True)
        return [(line, pixels) for *_, line, pixels in ordered]


class ConfusionCrops:
    """Pictures of substituted characters: a uniform random sample of each pair.

    Args:
        number: of pictures to keep of each pair.
        seed: of the sampling.
    """

    def __init__(self, number: int = NUM_CROPS, seed: int = 1) -> None:
        self.number = number
        self._generator = np.random.default_rng(seed)
        self._crops: dict[Pair, list[Pixels]] = {}
        self._num_offered: dict[Pair, int] = {}

    def offer(self, line: ScoredLine, pixels: Pixels, characters: Sequence[Character]) -> None:
        """Sample the substituted characters of a line (reservoir sampling: Vitter 1985, algorithm R).

        Args:
            line: aligned with its reference.
            pixels: ``(H, W)``, the line as the network saw it.
            characters: positions of the hypothesis's characters; nothing is sampled unless there is one for each.
        """
        if len(characters) != len(line.hypothesis):
            return
        for edit in line.edits:
            if edit.kind != "substitution":
                continue
            pair = line.reference[edit.reference_index], line.hypothesis[edit.hypothesis_index]
            crops, num_offered = self._crops.setdefault(pair, []), self._num_offered.get(pair, 0)
            self._num_offered[pair] = num_offered + 1
            slot = num_offered if num_offered < self.number else int(self._generator.integers(num_offered + 1))
            if slot < self.number:
                crops[slot : slot + 1] = [crop_character(pixels, characters[edit.hypothesis_index])]

    def get(self, pair: Pair) -> list[Pixels]:
        """Return the pictures of a pair."""
        return self._crops.get(pair, [])


def crop_character(pixels: Pixels, character: Character) -> Pixels:
    """Crop a character from its line, with faded margins.

    Args:
        pixels: ``(H, W)``, white paper.
        character: its position; the part outside of the line is ignored.
    """
    height, width = pixels.shape
    margin = round(_MARGIN * height)
    start = min(max(0, int(character.start_px)), width - 1)
    end = max(start + 1, min(width, int(np.ceil(character.end_px))))
    left, right = max(0, start - margin), min(width, end + margin)
    crop = pixels[:, left:right].astype(np.float32)
    is_margin = np.ones(right - left, bool)
    is_margin[start - left : end - left] = False
    crop[:, is_margin] += _FADING * (_PAPER - crop[:, is_margin])
    return crop.round().astype(np.uint8)

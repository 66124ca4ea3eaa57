"""Maps of a page, from which its lines are followed: what a line finder predicts for each pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

MAP_STRIDE = 2
"""Pixels of the network's input per pixel of the maps."""
ORIENTATION_STRIDE = 8
"""Pixels of the network's input per pixel of the map of orientations."""
SIZE_STEP = 32
"""Height and width of the input are multiples of this."""
UPRIGHT, CLOCKWISE, UPSIDE_DOWN, COUNTERCLOCKWISE = range(4)
"""Orientations of writing, in quarter turns clockwise: how the page was turned after it was written."""


@dataclass(frozen=True, slots=True, eq=False)
class PageMaps:
    """What a line finder predicts for a page.

    Attributes:
        baselines: ``(H, W)``, probability that a pixel is on the baseline of upright writing.
        ends: ``(H, W)``, probability that a line starts or ends at a pixel.
        above: ``(H, W)``, extent of the line above its baseline, in px of the maps; valid on baselines.
        below: ``(H, W)``, extent below the baseline.
        orientations: ``(5, H / 4, W / 4)``, probabilities of no writing, and of writing in each of the four
            orientations.
        scale: px of the maps per px of the page.
    """

    baselines: Map
    ends: Map
    above: Map
    below: Map
    orientations: Map
    scale: float

    def measure_orientations(self) -> Sequence[float]:
        """Return the area of the writing in each of the four orientations, as a fraction of all writing."""
        areas = self.orientations[1:].sum((1, 2))
        total = max(float(areas.sum()), 1e-6)
        return [float(area) / total for area in areas]


class MapPredictor(Protocol):
    """A line finder that predicts the maps of a page, run by PyTorch or ONNX Runtime."""

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[Map, Map]:
        """Predict maps.

        Args:
            pixels: ``(H, W)`` gray, with stretched contrast; both multiples of `SIZE_STEP`.

        Returns:
            ``(4, H / 2, W / 2)``: probabilities of baselines and ends, extents above and below in px of the input; and
            ``(5, H / 8, W / 8)``: probabilities of no writing and of the four orientations.
        """
        ...


def build_maps(maps: Map, orientations: Map, scale: float) -> PageMaps:
    """Build the maps of a page from the output of a network.

    Args:
        maps: ``(4, H / 2, W / 2)``; see `MapPredictor`.
        orientations: ``(5, H / 8, W / 8)``.
        scale: px of the network's input per px of the page.
    """
    baselines, ends, above, below = maps
    return PageMaps(baselines, ends, above / MAP_STRIDE, below / MAP_STRIDE, orientations, scale / MAP_STRIDE)

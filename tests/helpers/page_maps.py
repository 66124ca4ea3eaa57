"""Maps of pages, drawn from their lines, and tiny line finders."""

from collections.abc import Sequence

import numpy as np
import torch

from htr_lightning.data.page_targets import TargetLine, draw_targets
from htr_lightning.image.page_pixels import PagePreprocess
from htr_lightning.model.finder_file import Finder
from htr_lightning.model.finder_info import FinderInfo
from htr_lightning.model.line_finder import LineFinder
from htr_lightning.segmentation.maps import PageMaps, build_maps
from htr_lightning.segmentation.regions import DetectedLine


def target(left: float, right: float, y: float, *, above: float = 20, below: float = 8, drop: float = 0) -> TargetLine:
    """Return a line from ``(left, y)`` to ``(right, y + drop)``."""
    xs = np.linspace(left, right, 9)
    points = np.stack([xs, y + drop * (xs - left) / (right - left)], 1)
    return TargetLine(points.astype(np.float32), above, below)


def draw_maps(lines: Sequence[TargetLine], height: int = 320, width: int = 640, scale: float = 1.0) -> PageMaps:
    """Return the maps that a perfect network would predict."""
    targets = draw_targets(lines, height, width)
    orientations = np.eye(5, dtype=np.float32)[targets.orientations].transpose(2, 0, 1)
    return build_maps(targets.lines, orientations, scale)


def detected(left: float, right: float, y: float, *, orientation: int = 0, height: float = 20) -> DetectedLine:
    """Return a horizontal line whose outline reaches ``height`` px above it and a quarter of that below."""
    baseline = np.array([(left, y), (right, y)], np.float32)
    top, bottom = y - height, y + height / 4
    polygon = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
    return DetectedLine(baseline, polygon, 0.9, orientation)


def tiny_finder(seed: int = 0) -> Finder:
    """Return a line finder with random weights."""
    torch.manual_seed(seed)
    network = LineFinder(channels=[4, 4, 4], dilations=[1]).eval()
    info = FinderInfo(dict(network.arguments), PagePreprocess(longest_px=256).to_dict(), {}, {"val/f1": 0.5})
    return Finder(network, info)

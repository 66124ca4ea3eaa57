"""Writing that is upside down, recognized by the confidence with which a few of its lines are read either way."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from htr_lightning.reading.line_crops import LineCrop, SegmentedPage, flip_crop

MeasureConfidence = Callable[[Sequence[LineCrop]], float]

_NUM_PROBES = 5  # longest lines, which are read either way
_MIN_GAIN = 0.06  # of the mean confidence of the characters, to turn the lines
_DOUBTFUL = 0.75  # confidence of horizontal lines below which they may be upside down


def turn_by_confidence(page: SegmentedPage, measure_confidence: MeasureConfidence) -> SegmentedPage:
    """Turn the lines of a detected page upside down, if they are read with more confidence then.

    A line finder tells horizontal from vertical writing well, but not always up from down. Vertical lines are always
    tried, horizontal ones only if they can hardly be read. Lines whose characters stand below each other stay.

    Args:
        page: with its lines cropped.
        measure_confidence: returns the mean confidence of the characters of crops, 0 without any.
    """
    for axis in (0, 1):
        crops = [crop for _, crops in page.regions for crop in crops if _has_axis(crop, axis)]
        probes = sorted(crops, key=lambda crop: -crop.pixels.shape[1] if crop.pixels is not None else 0)[:_NUM_PROBES]
        if not probes:
            continue
        before = measure_confidence(probes)
        if axis == 0 and before >= _DOUBTFUL:
            continue
        if measure_confidence([flip_crop(crop) for crop in probes]) > before + _MIN_GAIN:
            page = _flip_lines(page, axis)
    return page


def _has_axis(crop: LineCrop, axis: int) -> bool:
    return crop.pixels is not None and not crop.line.vertical and crop.line.orientation % 2 == axis


def _flip_lines(page: SegmentedPage, axis: int) -> SegmentedPage:
    """Turn the horizontal (axis 0) or vertical (1) lines upside down; their order is then reversed."""
    flipped, others = [], []
    for region, crops in page.regions:
        if not any(_has_axis(crop, axis) for crop in crops):
            others.append((region, crops))
            continue
        turned = tuple(flip_crop(crop) for crop in reversed(crops))
        flipped.append((replace(region, lines=tuple(crop.line for crop in turned)), turned))
    flipped.reverse()
    regions = (*flipped, *others) if axis == 0 else (*others, *flipped)
    orientation = page.orientation
    if orientation is not None and orientation % 2 == axis:
        orientation = (orientation + 2) % 4
    elif orientation is None and axis == 0 and not others:
        orientation = 2
    return replace(page, regions=regions, orientation=orientation)

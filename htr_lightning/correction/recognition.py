"""Reading the pages of a project: their lines are found or taken from layout files, cropped, and recognized."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from htr_lightning.correction.page import DoubtfulWord, LineShape, ProjectPage, Reading
from htr_lightning.image.files import DataError

if TYPE_CHECKING:
    from htr_lightning.layout.page import Page
    from htr_lightning.model.load import Recognizer
    from htr_lightning.reading.line_crops import LineCrop, Pixels, SegmentedPage
    from htr_lightning.reading.lines import Prediction
    from htr_lightning.reading.page import PredictedLine
    from htr_lightning.segmentation.page import PageSegmenter

MAX_DOUBTFUL_WORDS = 3
"""Words of a line that are marked at most; more of them would only distract."""
DOUBTFUL = 0.6
"""Confidence of a word below which it is doubtful."""
_NUM_ALTERNATIVES = 5
_BAND = 1.25  # height of the band around a baseline without polygon, in median heights of the page's lines


@dataclass(frozen=True, slots=True)
class FoundPage:
    """The lines of a page, before they are read.

    Attributes:
        size: width and height of the image in px.
        shapes: in reading order.
        texts: of the layout file, by the id of a line.
        layout_size: of the layout file; None without one.
        notes: sentences about the page.
        layout: the layout file; None if the lines were found in the image.
    """

    size: tuple[int, int]
    shapes: list[LineShape]
    texts: dict[str, str]
    layout_size: tuple[float, float] | None
    notes: list[str]
    layout: Path | None = None


class PageRecognizer:
    """Finds and reads lines with one model.

    Args:
        model: see `htr_lightning.model.load.load_recognizer`.
        name: of the model in the project.
        segmenter: finds the lines of pages without a layout file.
    """

    def __init__(self, model: "Recognizer", name: str, segmenter: "PageSegmenter | None" = None) -> None:
        from htr_lightning.decode.decoder import build_default_decoder
        from htr_lightning.reading.lines import LineReader
        from htr_lightning.reading.pages import PageReader

        self.model, self.name = model, name
        decoder = build_default_decoder(model.charset, model.info.lm, model.info.languages)
        self.line_reader: LineReader = LineReader(
            model, decoder=decoder, positions=True, num_alternatives=_NUM_ALTERNATIVES
        )
        self.page_reader = PageReader(self.line_reader, segmenter)

    def find_lines(self, page: ProjectPage, *, ignore_layout: bool = False) -> FoundPage:
        """Find the lines of a page, or take them from the layout file beside it.

        Raises:
            DataError: the image or the layout cannot be read, or the layout is of another image.
        """
        from htr_lightning.layout.formats import read_layout
        from htr_lightning.reading.page_jobs import find_layout

        path = None if ignore_layout else find_layout(page.scan.path, number=page.scan.number)
        layout = None if path is None else read_layout(path)
        segmented = self.page_reader.segment(page.scan, layout)
        segmented = self.page_reader.turn_lines(segmented)
        crops = [(region, crop) for region, crops in segmented.regions for crop in crops]
        height, width = segmented.pixels.shape[:2]
        band = _measure_height([crop.line for _, crop in crops], height)
        shapes = [
            LineShape(
                crop.line.id,
                crop.line.baseline,
                _get_outline(crop.line.polygon, crop.line.baseline, band),
                region.id,
                region.kind,
                crop.line.orientation,
                crop.line.cell,
                crop.line.vertical,
            )
            for region, crop in crops
            if len(crop.line.polygon) or len(crop.line.baseline) > 1
        ]
        known = {shape.id for shape in shapes}
        texts = {line.id: line.text.strip() for line in (layout.lines if layout else ()) if line.id in known}
        size = layout.size if layout is not None else None
        given = {line: text for line, text in texts.items() if text}
        return FoundPage((width, height), shapes, given, size, _describe(segmented, layout, shapes), path)

    def read_lines(self, pixels: "Pixels", shapes: Iterable[LineShape]) -> dict[str, Reading]:
        """Read lines of a page ``(H, W)`` or ``(H, W, 3)``; one that cannot be read has a problem."""
        crops = self.page_reader.set_upright(crop_lines(pixels, list(shapes)))
        readable = [crop for crop in crops if crop.pixels is not None]
        readings = {
            crop.line.id: Reading("", model=self.name, problem=crop.line.problem)
            for crop in crops
            if crop.pixels is None
        }
        for crop, prediction in zip(readable, self._read_crops(readable), strict=True):
            readings[crop.line.id] = self._build_reading(crop, prediction)
        return readings

    def _read_crops(self, crops: "Iterable[LineCrop]") -> "list[Prediction]":
        return list(self.line_reader.read(crop.build_line() for crop in crops if crop.pixels is not None))

    def _build_reading(self, crop: "LineCrop", prediction: "Prediction") -> Reading:
        if prediction.problem is not None:
            return Reading("", model=self.name, problem=prediction.problem)
        assert crop.to_page is not None
        confidences = [character.confidence for character in prediction.characters]
        starts = [crop.to_page(np.array(character.outline))[0] for character in prediction.characters]
        return Reading(
            prediction.text,
            round(prediction.confidence, 4),
            round(1 - float(np.mean(confidences)), 4) if confidences else 1.0,
            self.name,
            tuple(_find_doubtful_words(crop, prediction)),
            tuple(round(float(x)) for x, _ in starts),
        )


def crop_lines(pixels: "Pixels", shapes: Sequence[LineShape]) -> "list[LineCrop]":
    """Crop lines from their page, as recognizers take them."""
    from htr_lightning.reading.line_crops import LineCropper
    from htr_lightning.reading.page import PredictedLine

    band = _measure_height(shapes, pixels.shape[0])
    cropper = LineCropper(pixels, band)
    return [
        cropper(
            PredictedLine(s.id, polygon=s.polygon, baseline=s.baseline, orientation=s.orientation, vertical=s.vertical)
        )
        for s in shapes
    ]


def _measure_height(lines: "Sequence[LineShape | PredictedLine]", page_height: int) -> float:
    """Return the height in px of a band that holds a line: the median height of the lines of the page, and a margin."""
    across = [(line.polygon, 0 if line.orientation % 2 else 1) for line in lines]
    heights = [float(np.ptp(polygon[:, axis])) for polygon, axis in across if len(polygon) > 2]
    return _BAND * float(np.median(heights)) if heights else page_height / 40


def _get_outline(polygon: np.ndarray, baseline: np.ndarray, band: float) -> np.ndarray:
    return polygon if len(polygon) > 2 else build_band(baseline, band)


def build_band(baseline: np.ndarray, height: float) -> np.ndarray:
    """Return the outline of a band around a baseline: three quarters of its height above it, a quarter below."""
    direction = baseline[-1] - baseline[0]
    normal = np.array([direction[1], -direction[0]]) / max(math.hypot(*direction.tolist()), 1.0)
    above, below = baseline + 0.75 * height * normal, baseline - 0.25 * height * normal
    return np.asarray(np.concatenate([above, below[::-1]]), np.float32)


def _describe(segmented: "SegmentedPage", layout: "Page | None", shapes: Sequence[LineShape]) -> list[str]:
    from htr_lightning.reading.pages import describe_orientation

    if not shapes:
        return ["its layout file has no lines" if layout is not None else "no line was found on the page"]
    return [describe_orientation(segmented.orientation)] if segmented.orientation else []


def _find_doubtful_words(crop: "LineCrop", prediction: "Prediction") -> list[DoubtfulWord]:
    """Return the least certain words of a line, in its order, with what else they may be."""
    from htr_lightning.decode.alternatives import suggest_words
    from htr_lightning.decode.positions import bounding_box

    assert crop.to_page is not None
    found: list[DoubtfulWord] = []
    start = 0
    words = iter(prediction.words)
    for part in prediction.text.split(" "):
        end = start + len(part)
        word = next(words, None) if part else None
        if word is not None and word.text == part and word.confidence < DOUBTFUL:
            outline = [(float(x), float(y)) for x, y in crop.to_page(np.array(word.outline))]
            confidences = [character.confidence for character in prediction.characters[start:end]]
            others = suggest_words(part, confidences, prediction.alternatives[start:end], _NUM_ALTERNATIVES)
            box = tuple(round(value, 1) for value in bounding_box(outline))
            found.append(DoubtfulWord(start, part, round(word.confidence, 4), box, tuple(others)))  # type: ignore[arg-type]
        start = end + 1
    least = sorted(found, key=lambda word: word.confidence)[:MAX_DOUBTFUL_WORDS]
    return sorted(least, key=lambda word: word.start)


def drop_empty(found: FoundPage, readings: Mapping[str, Reading]) -> FoundPage:
    """Return a page without the detected lines in which nothing was read."""
    kept = [shape for shape in found.shapes if readings[shape.id].text]
    return replace(found, shapes=kept)


def read_pixels(page: ProjectPage, max_pixels: int | None = None) -> "Pixels":
    """Return the image of a page, turned as its lines need it.

    Raises:
        DataError: it cannot be read.
    """
    try:
        limit = {} if max_pixels is None else {"max_pixels": max_pixels}
        return page.scan.read(layout_size=page.layout_size, **limit)
    except MemoryError:
        raise DataError("the image is too large for the memory", file=page.scan.path, kind="too_large") from None

"""Recognition of pages: detect lines or take them from a layout, crop them, recognize them, map results to the page."""

import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from htr_lightning.decode.positions import Outline, bounding_box, map_outlines
from htr_lightning.image.crop import compute_layout_scale
from htr_lightning.image.files import DataError
from htr_lightning.image.scan import Scan
from htr_lightning.image.straighten import Points, no_points
from htr_lightning.layout.page import Page, PageLine
from htr_lightning.reading.columns import set_upright_by_confidence
from htr_lightning.reading.line_crops import LineCrop, LineCropper, Pixels, SegmentedPage
from htr_lightning.reading.lines import LineReader, Prediction
from htr_lightning.reading.orientation import turn_by_confidence
from htr_lightning.reading.page import PredictedLine, PredictedPage, PredictedRegion
from htr_lightning.reading.pixel_grid import PixelGrid
from htr_lightning.reading.script_check import ScriptCheck
from htr_lightning.reading.segmenters import load_segmenter
from htr_lightning.segmentation.page import PageSegmenter
from htr_lightning.segmentation.regions import DetectedRegion

_LEGIBLE = 0.45  # mean confidence of the characters of a page below which it is reported as illegible


class PageReader:
    """Recognizes pages.

    Args:
        line_reader: recognizes their lines.
        segmenter: detects the lines of pages without a layout; None for the line finder that ships.
        model: the user's name of the recognizer, which is written into results.
    """

    def __init__(self, line_reader: LineReader, segmenter: PageSegmenter | None = None, *, model: str = "") -> None:
        self.line_reader, self._segmenter, self.model = line_reader, segmenter, model

    @functools.cached_property
    def script_check(self) -> ScriptCheck:
        """What finds pages in other scripts."""
        return ScriptCheck(self.line_reader.model)

    @functools.cached_property
    def segmenter(self) -> PageSegmenter:
        """What detects the lines of pages without a layout; the line finder that ships is loaded when it is needed."""
        return self._segmenter or load_segmenter(charset=self.line_reader.model.charset)

    def read(self, scan: Scan, layout: Page | None = None) -> PredictedPage:
        """Recognize a page: `segment`, then `recognize`, which may run in parallel for different pages.

        Raises:
            DataError: the page cannot be read, or the layout is of another page.
        """
        return self.recognize(self.segment(scan, layout))

    def segment(self, scan: Scan, layout: Page | None = None) -> SegmentedPage:
        """Detect the lines of a page, or take them from a layout, and crop them.

        Raises:
            DataError: the page cannot be read, or the layout is of another page.
        """
        layout_size = None if layout is None else layout.size
        pixels = scan.read(self.line_reader.model.preprocess.max_pixels, layout_size)
        return self.segment_pixels(pixels, scan, layout)

    def segment_pixels(self, pixels: Pixels, scan: Scan, layout: Page | None = None) -> SegmentedPage:
        """Detect and crop the lines of a page that is in memory; see `segment`."""
        orientation, band_px = None, 0.0
        if layout is None:
            found = self.segmenter.find(pixels)
            orientation, regions = found.orientation, convert_regions(found.regions, pixels.shape)
        else:
            regions = _get_layout_regions(layout, pixels.shape)
            band_px = layout.line_spacing * _compute_vertical_scale(layout, pixels)
        crop = LineCropper(pixels, band_px)
        crops = tuple((region, tuple(crop(line) for line in region.lines)) for region in regions)
        return SegmentedPage(scan, pixels, crops, layout, orientation)

    def recognize(self, page: SegmentedPage) -> PredictedPage:
        """Recognize the lines of a page; detected lines (not those of a layout) without any text are dropped."""
        read = _CropReader(self.line_reader)
        page = _turn_lines(page, read)
        crops = [crop for _, crops in page.regions for crop in crops if crop.pixels is not None]
        crops = self._set_upright(crops, read)
        predictions = read(crops)
        lines = {
            crop.line.id: _map_to_page(crop, prediction) for crop, prediction in zip(crops, predictions, strict=True)
        }
        regions = []
        for region, region_crops in page.regions:
            region_lines = [lines.get(crop.line.id, crop.line) for crop in region_crops]
            kept = tuple(line for line in region_lines if line.text or page.layout is not None)
            if kept:
                regions.append(replace(region, lines=kept))
        height, width = page.pixels.shape[:2]
        return PredictedPage(
            page.scan.path.name,
            width,
            height,
            tuple(regions),
            number=page.scan.number,
            model=self.model,
            notes=tuple(self._build_notes(page, crops, predictions)),
            pixels=page.pixels,
            language=languages[0] if len(languages := self.line_reader.model.info.languages) == 1 else "",
        )

    def turn_lines(self, page: SegmentedPage) -> SegmentedPage:
        """Turn detected lines upside down if they are read with more confidence then; those of a layout stay."""
        return _turn_lines(page, _CropReader(self.line_reader))

    def set_upright(self, crops: Sequence[LineCrop]) -> list[LineCrop]:
        """Set the characters of vertical lines side by side, if the model reads upright characters only."""
        return self._set_upright(crops, _CropReader(self.line_reader))

    def _set_upright(self, crops: Sequence[LineCrop], read: "_CropReader") -> list[LineCrop]:
        if self.line_reader.model.charset.column_direction is None:
            return list(crops)
        upright = set_upright_by_confidence(crops, lambda probes: _compute_mean_confidence(read(probes)))
        return [upright.get(crop.line.id, crop) for crop in crops]

    def _build_notes(
        self, page: SegmentedPage, crops: Sequence[LineCrop], predictions: Sequence[Prediction]
    ) -> list[str]:
        """Report a page that is blank, rotated, illegible or in another script, judged by what was read."""
        if page.layout is not None and not page.layout.lines:
            return [f"its layout, {page.layout.path}, has no lines; use --ignore-layouts to segment the page"]
        if not any(prediction.text for prediction in predictions):
            return ["no handwriting was found on the page"]
        if page.orientation:
            return [describe_orientation(page.orientation)]
        confidence = _compute_mean_confidence(predictions)
        if doubt := self.script_check.describe([prediction.greedy_text for prediction in predictions], confidence):
            return [doubt]
        if page.layout is None and confidence < _LEGIBLE:
            return [f"the model can hardly read the page (confidence {confidence:.0%}); check that it is handwriting"]
        return []


class _CropReader:
    """Reads crops, each only once."""

    def __init__(self, line_reader: LineReader) -> None:
        self._line_reader = line_reader
        self._predictions: dict[LineCrop, Prediction] = {}

    def __call__(self, crops: Sequence[LineCrop]) -> list[Prediction]:
        """Return the predictions of crops that have pixels."""
        unread = [crop for crop in crops if crop not in self._predictions]
        lines = (crop.build_line() for crop in unread)
        self._predictions.update(zip(unread, self._line_reader.read(lines), strict=True))
        return [self._predictions[crop] for crop in crops]


def _turn_lines(page: SegmentedPage, read: _CropReader) -> SegmentedPage:
    if page.layout is not None:
        return page
    return turn_by_confidence(page, lambda crops: _compute_mean_confidence(read(crops)))


def _compute_vertical_scale(layout: Page, pixels: Pixels) -> float:
    """Return the px of the image per vertical unit of a layout."""
    return pixels.shape[0] / layout.size[1] if layout.size else 1.0


def _compute_mean_confidence(predictions: Sequence[Prediction]) -> float:
    """Return the mean confidence of all characters; 0 if there are none."""
    confidences = [character.confidence for prediction in predictions for character in prediction.characters]
    return float(np.mean(confidences)) if confidences else 0.0


def describe_orientation(turns: int) -> str:
    """Return the note on a page that is turned clockwise by some quarter turns."""
    position = "upside down" if turns == 2 else "on its side"
    return f"the page lies {position}; rotate the image by {90 * turns} degrees counterclockwise"


def convert_regions(regions: Iterable[DetectedRegion], shape: tuple[int, ...]) -> list[PredictedRegion]:
    """Convert detected regions to those of a page that is not recognized yet, with ids.

    Their coordinates are rounded to whole pixels as in the layouts that are written, so that a layout reads like the
    page that it came from.

    Args:
        regions: in px of the page.
        shape: ``(height, width, ...)`` of the page.
    """
    grid = PixelGrid(shape[1], shape[0])
    return [_convert_region(number, region, grid) for number, region in enumerate(regions, 1)]


def _convert_region(number: int, region: DetectedRegion, grid: PixelGrid) -> PredictedRegion:
    lines = tuple(
        PredictedLine(
            f"r{number}_l{place}",
            polygon=grid.round_polygon(line.polygon).astype(np.float32),
            baseline=grid.round_baseline(line.baseline).astype(np.float32),
            orientation=line.orientation,
            line_confidence=line.confidence,
            cell=line.cell,
            vertical=line.vertical,
        )
        for place, line in enumerate(region.lines, 1)
    )
    points = grid.round_points(np.concatenate([line.polygon for line in region.lines])).astype(np.float32)
    return PredictedRegion(f"r{number}", _compute_bounding_box(points), lines, region.kind, region.half)


def _get_layout_regions(layout: Page, shape: tuple[int, ...]) -> list[PredictedRegion]:
    """Return the regions of a layout, in px of the image; consecutive lines of one region, or table, are grouped.

    Raises:
        DataError: the layout is of another page.
    """
    try:
        scale = compute_layout_scale(shape, layout.size)
    except DataError as error:
        raise error.with_fields(file=layout.path) from None
    regions: list[PredictedRegion] = []
    unreliable = layout.find_unreliable_outlines()
    for (name, kind), group in itertools.groupby(layout.lines, key=_get_region):
        lines = tuple(_convert_line(line, scale, uses_band=line.id in unreliable) for line in group)
        points = np.concatenate([np.concatenate([line.polygon, line.baseline]) for line in lines] or [no_points()])
        polygon = _compute_bounding_box(points if len(points) else np.zeros((1, 2), np.float32))
        regions.append(PredictedRegion(name or f"r{len(regions) + 1}", polygon, lines, kind or "paragraph"))
    return regions


def _get_region(line: PageLine) -> tuple[str, str]:
    """Return id and type of the region, or table, of a line."""
    return (line.table, "table") if line.table else (line.region, line.region_type)


def _convert_line(line: PageLine, scale: NDArray[np.floating], *, uses_band: bool) -> PredictedLine:
    """Convert a line to px of the image; its polygon is dropped if a band around the baseline shows it better."""
    outline = no_points() if uses_band else line.polygon
    polygon, baseline = (np.asarray(points * scale, np.float32) for points in (outline, line.baseline))
    return PredictedLine(
        line.id,
        polygon=polygon,
        baseline=baseline,
        problem=line.problem,
        orientation=line.orientation,
        cell=line.cell,
        vertical=line.vertical,
        stated_direction=line.direction,
    )


def _compute_bounding_box(points: Points) -> Points:
    """Return the corners of the bounding box of points, clockwise from the top left."""
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)


def _map_to_page(crop: LineCrop, prediction: Prediction) -> PredictedLine:
    """Return the prediction of a crop with its outlines in px of the page."""
    if prediction.problem is not None:
        return replace(crop.line, problem=prediction.problem)
    assert crop.to_page is not None
    characters, words = prediction.characters, prediction.words
    mapped = map_outlines([*(c.outline for c in characters), *(w.outline for w in words)], crop.to_page)
    outlines = iter(map(_get_box, mapped) if crop.is_rearranged else mapped)
    return replace(
        crop.line,
        text=prediction.text,
        confidence=prediction.confidence,
        characters=tuple(replace(character, outline=next(outlines)) for character in characters),
        words=tuple(replace(word, outline=next(outlines)) for word in words),
    )


def _get_box(outline: Outline) -> Outline:
    """Return the box of an outline whose corners are at different places of a column, from its upper right corner."""
    left, top, right, bottom = bounding_box(outline)
    return (right, top), (right, bottom), (left, bottom), (left, top)

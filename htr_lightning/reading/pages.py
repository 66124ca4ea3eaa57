"""Pages read: lines found or taken from a layout, cut out, read, and put back into their places."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Line
from htr_lightning.decode.positions import Outline
from htr_lightning.image.crop import compute_layout_scale, crop_layout_line
from htr_lightning.image.files import DataError, InMemoryImage
from htr_lightning.image.scan import Scan
from htr_lightning.image.straighten import PointMap, Points, no_points
from htr_lightning.layout.page import Page, PageLine
from htr_lightning.reading.lines import LineReader, Prediction
from htr_lightning.reading.page import PredictedLine, PredictedPage, PredictedRegion
from htr_lightning.segmentation.regions import DetectedRegion
from htr_lightning.segmentation.segmenter import Segmenter

Pixels = NDArray[np.uint8]

_DOUBTFUL = 0.88  # mean confidence of characters below which a page is looked at upside down
_TURNED_GAIN = 0.06  # by which that must be better
_ILLEGIBLE = 0.45  # mean confidence below which it is said that hardly anything was read
_LOOKED_AT = 5  # lines, the longest


@dataclass(frozen=True, slots=True, eq=False)
class LineCrop:
    """A line of a page before it is read.

    Attributes:
        line: what is known of it: id, outline and baseline in px of the page.
        pixels: of the line; None where it cannot be cut out, as ``line.problem`` says.
        to_page: from points of the pixels to those of the page.
    """

    line: PredictedLine
    pixels: Pixels | None = None
    to_page: PointMap | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SegmentedPage:
    """A page before it is read.

    Attributes:
        scan: where it comes from.
        pixels: ``(H, W)`` or ``(H, W, 3)``.
        regions: in reading order: what each is, and its lines.
        layout: that the lines were taken from; None if they were found.
    """

    scan: Scan
    pixels: Pixels
    regions: tuple[tuple[PredictedRegion, tuple[LineCrop, ...]], ...]
    layout: Page | None = None


class PageReader:
    """Reads pages.

    Args:
        reader: of lines.
        segmenter: finds them where no layout says where they are.
        model: what the user calls the recognizer; stands in what is written.
    """

    def __init__(self, reader: LineReader, segmenter: Segmenter | None = None, *, model: str = "") -> None:
        self.reader, self.segmenter, self.model = reader, segmenter or Segmenter(), model

    def read(self, scan: Scan, layout: Page | None = None) -> PredictedPage:
        """Read a page; see `segment` and `recognize`, which can be run side by side for different pages."""
        return self.recognize(self.segment(scan, layout))

    def segment(self, scan: Scan, layout: Page | None = None) -> SegmentedPage:
        """Find the lines of a page, or take them from a layout, and cut them out.

        Raises:
            DataError: the page cannot be read, or is not the one that the layout was made for.
        """
        size = None if layout is None else layout.size
        return self.segment_pixels(scan.read(self.reader.model.preprocess.max_pixels, size), scan, layout)

    def segment_pixels(self, pixels: Pixels, scan: Scan, layout: Page | None = None) -> SegmentedPage:
        """Find and cut the lines of a page that is in memory; see `segment`."""
        if layout is None:
            regions = [_found(number, region) for number, region in enumerate(self.segmenter(pixels), 1)]
        else:
            try:
                regions = _laid_out(layout, pixels.shape)
            except DataError as error:
                raise DataError(f"{layout.path}: {error}") from None
        band = 0.0 if layout is None else layout.line_spacing * _rise(layout, pixels)
        cut = tuple((region, tuple(_cut_out(line, pixels, band) for line in region.lines)) for region in regions)
        return SegmentedPage(scan, pixels, cut, layout)

    def recognize(self, page: SegmentedPage) -> PredictedPage:
        """Read the lines of a page. Lines that were found, and in which nothing is read, are left out."""
        lines = [line for _, inside in page.regions for line in inside]
        usable = [line for line in lines if line.pixels is not None]
        readings = self._readings(usable)
        read = {line.line.id: _placed(line, reading) for line, reading in zip(usable, readings, strict=True)}
        regions = []
        for region, inside in page.regions:
            own = [read.get(line.line.id, line.line) for line in inside]
            kept = tuple(line for line in own if line.text or page.layout is not None)
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
            notes=tuple(self._notes(page, readings, usable)),
            pixels=page.pixels,
        )

    def _readings(self, lines: Sequence[LineCrop]) -> list[Prediction]:
        images = ((line.line.id, line.pixels) for line in lines)
        return list(
            self.reader.read(Line(id, InMemoryImage(pixels), "") for id, pixels in images if pixels is not None)
        )

    def _notes(self, page: SegmentedPage, readings: Sequence[Prediction], lines: Sequence[LineCrop]) -> list[str]:
        """Say what is odd about a page, by how sure the recognizer is."""
        if page.layout is not None and not page.layout.lines:
            return [f"its layout, {page.layout.path}, has no lines; --find-lines looks for them"]
        if not any(reading.text for reading in readings):
            return ["no writing was found on it"]
        sure = _mean_confidence(readings)
        if page.layout is not None or sure >= _DOUBTFUL:
            return []
        if turn := self._better_turned(page, lines):
            how = "upside down" if turn == 180 else "on its side"
            return [f"it seems to lie {how}; turn the image by {turn} degrees (anticlockwise) and read it again"]
        if sure < _ILLEGIBLE:
            return [f"hardly anything on it is legible to this model (confidence {sure:.0%}); is it handwriting?"]
        return []

    def _better_turned(self, page: SegmentedPage, lines: Sequence[LineCrop]) -> int | None:
        """Return by how many degrees anticlockwise a page has to be turned to be read better; None if it is upright."""
        longest = sorted(lines, key=lambda line: -len(line.pixels[0]) if line.pixels is not None else 0)[:_LOOKED_AT]
        upright = _mean_confidence(self._readings(longest))
        turned = [replace(line, pixels=_turned(line.pixels, 2)) for line in longest if line.pixels is not None]
        best, turn = _mean_confidence(self._readings(turned)), 180
        for quarters in (1, 3):
            pixels = _turned(page.pixels, quarters)
            regions = [_found(number, region) for number, region in enumerate(self.segmenter(pixels), 1)]
            found = sorted((line for region in regions for line in region.lines), key=lambda line: -_length(line))
            sure = _mean_confidence(self._readings([_cut_out(line, pixels, 0.0) for line in found[:_LOOKED_AT]]))
            if sure > best:
                best, turn = sure, 90 * quarters
        return turn if best > upright + _TURNED_GAIN else None


def _turned(pixels: Pixels, quarters: int) -> Pixels:
    return np.ascontiguousarray(np.rot90(pixels, quarters))


def _length(line: PredictedLine) -> float:
    return float(np.ptp(line.baseline[:, 0]))


def _rise(layout: Page, pixels: Pixels) -> float:
    """Return the px of the image for each unit of height in a layout."""
    return pixels.shape[0] / layout.size[1] if layout.size else 1.0


def _mean_confidence(readings: Sequence[Prediction]) -> float:
    """Return the mean confidence of all characters."""
    sure = [character.confidence for reading in readings for character in reading.characters]
    return float(np.mean(sure)) if sure else 0.0


def _found(number: int, region: DetectedRegion) -> PredictedRegion:
    lines = tuple(
        PredictedLine(f"r{number}_l{place}", polygon=line.polygon, baseline=line.baseline)
        for place, line in enumerate(region.lines, 1)
    )
    polygon = _box_around(np.concatenate([line.polygon for line in region.lines]))
    return PredictedRegion(f"r{number}", polygon, lines, region.kind)


def _laid_out(layout: Page, shape: tuple[int, ...]) -> list[PredictedRegion]:
    """Return the regions of a layout, in px of the image; lines in a row that are in one region come together."""
    scale = compute_layout_scale(shape, layout.size)
    regions: list[PredictedRegion] = []
    for (name, kind), inside in itertools.groupby(layout.lines, key=lambda line: (line.region, line.region_type)):
        lines = tuple(_line_of(line, scale) for line in inside)
        points = np.concatenate([np.concatenate([line.polygon, line.baseline]) for line in lines] or [no_points()])
        polygon = _box_around(points if len(points) else np.zeros((1, 2), np.float32))
        regions.append(PredictedRegion(name or f"r{len(regions) + 1}", polygon, lines, kind or "paragraph"))
    return regions


def _line_of(line: PageLine, scale: NDArray[np.floating]) -> PredictedLine:
    polygon, baseline = (np.asarray(points * scale, np.float32) for points in (line.polygon, line.baseline))
    return PredictedLine(line.id, polygon=polygon, baseline=baseline, problem=line.problem)


def _box_around(points: Points) -> Points:
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)


def _cut_out(line: PredictedLine, pixels: Pixels, band_px: float) -> LineCrop:
    """Cut a line out; one that cannot be says why."""
    if line.problem:
        return LineCrop(line)
    try:
        return LineCrop(line, *crop_layout_line(pixels, line.polygon, line.baseline, None, band_px=band_px))
    except DataError as error:
        return LineCrop(replace(line, problem=str(error)))


def _placed(cut: LineCrop, reading: Prediction) -> PredictedLine:
    """Put what was read in a line into its place on the page."""
    if reading.problem is not None:
        return replace(cut.line, problem=reading.problem)
    assert cut.to_page is not None
    to_page = cut.to_page
    return replace(
        cut.line,
        text=reading.text,
        confidence=reading.confidence,
        characters=tuple(replace(c, outline=_on_page(c.outline, to_page)) for c in reading.characters),
        words=tuple(replace(w, outline=_on_page(w.outline, to_page)) for w in reading.words),
    )


def _on_page(outline: Outline, to_page: PointMap) -> Outline:
    a, b, c, d = ((round(float(x), 1), round(float(y), 1)) for x, y in to_page(np.array(outline)))
    return a, b, c, d

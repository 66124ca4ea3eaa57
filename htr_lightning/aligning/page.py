"""Aligning the text of a page to its lines: those of a layout, or those that were detected."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from htr_lightning.aligning.align import AlignedLine, TextAlignment, align_text
from htr_lightning.aligning.defaults import MIN_CONFIDENCE
from htr_lightning.aligning.lattice import LineFrames
from htr_lightning.aligning.orders import order_by_columns
from htr_lightning.charset import Charset
from htr_lightning.data.line import Line
from htr_lightning.decode.confidence import log_softmax
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.image.line_image import InMemoryImage
from htr_lightning.reading.line_crops import LineCrop, SegmentedPage
from htr_lightning.reading.lines import LineReader
from htr_lightning.reading.page import PredictedPage
from htr_lightning.reading.pages import PageReader


@dataclass(frozen=True, slots=True, eq=False)
class AlignedPage:
    """A page whose lines have the texts of a transcription.

    Attributes:
        page: its lines have the text and the confidence of the alignment; those below the minimum have no text.
        lines: what was placed on each line of the page, however uncertain.
        predictions: what the recognizer reads in each line.
        crops: of each line.
        unplaced: parts of the text that are on no line.
        follows_breaks: whether the line breaks of the text are those of the page.
    """

    page: PredictedPage
    lines: tuple[AlignedLine, ...]
    predictions: tuple[str, ...]
    crops: tuple[LineCrop, ...]
    unplaced: tuple[str, ...]
    follows_breaks: bool = False

    @property
    def fit(self) -> float:
        """The fraction of the predicted characters whose lines have a text, 0..1; 1 if nothing was read."""
        lengths = [len(prediction) for prediction in self.predictions]
        placed = sum(n for n, line in zip(lengths, self.page.lines, strict=True) if line.text)
        return placed / sum(lengths) if any(lengths) else 1.0


def align_page(
    page: SegmentedPage, text: str, reader: PageReader, *, min_confidence: float = MIN_CONFIDENCE
) -> AlignedPage:
    """Cut the text of a page into its lines.

    Args:
        page: with its lines cropped; `PageReader.segment` and `PageReader.segment_pixels` return it, with the lines of
            a layout or with those that they detect.
        text: the transcription of the page, with its line breaks, others or none.
        reader: whose recognizer reads the lines.
        min_confidence: lines with a lower confidence get no text.
    """
    page = reader.turn_lines(page)
    crops = [crop for _, crops in page.regions for crop in crops]
    frames = read_frames(crops, reader.line_reader)
    charset = reader.line_reader.model.charset
    alignment = align_lines(crops, frames, text, charset, page.pixels.shape[1])
    predictions = tuple(charset.normalize(charset.decode(_decode(line))).strip() for line in frames)
    return AlignedPage(
        _build_page(page, alignment, min_confidence),
        alignment.lines,
        predictions,
        tuple(crops),
        alignment.unplaced,
        alignment.follows_breaks,
    )


def align_lines(
    crops: Sequence[LineCrop], frames: Sequence[LineFrames], text: str, charset: Charset, width_px: int
) -> TextAlignment:
    """Cut the text of a page into its lines, which may have been transcribed in their order or column by column.

    Args:
        crops: of the lines, in reading order.
        frames: of each crop; see `read_frames`.
        text: of the page.
        charset: of the recognizer.
        width_px: of the page.
    """
    places = _measure_places(crops)
    if charset.page_direction == "rtl":
        places[:, 0] = width_px - places[:, 1]
    columns = order_by_columns(places[:, ::2], width_px)
    return align_text(frames, text, charset, orders=[columns])


def _measure_places(crops: Sequence[LineCrop]) -> NDArray[np.float64]:
    """Return ``(N, 3)`` px, left edge, right edge and middle height of each line."""
    places = []
    for crop in crops:
        points = crop.line.polygon if len(crop.line.polygon) else crop.line.baseline
        points = points if len(points) else np.zeros((1, 2), np.float32)
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
        places.append((left, right, (top + bottom) / 2))
    return np.array(places, np.float64).reshape(-1, 3)


def read_frames(crops: Sequence[LineCrop], reader: LineReader) -> list[LineFrames]:
    """Return what the recognizer computes for each crop; no frames for those that it cannot use."""
    num_classes = reader.model.charset.num_classes
    log_probs: list[NDArray[np.float32]] = [np.zeros((0, num_classes), np.float32) for _ in crops]
    lines = [Line(str(n), InMemoryImage(c.pixels), "") for n, c in enumerate(crops) if c.pixels is not None]
    for batch, logits, lengths in reader.logits(lines):
        values = log_softmax(logits, reader.model.info.temperature)
        for line, row, length in zip(batch, values, lengths, strict=True):
            log_probs[int(line.id)] = row[:length]
    return [LineFrames(values) for values in log_probs]


def _decode(line: LineFrames) -> list[int]:
    if line.is_empty():
        return []
    return greedy_decode(line.log_probs[None], np.array([len(line.log_probs)], np.int64))[0]


def _build_page(page: SegmentedPage, alignment: TextAlignment, min_confidence: float) -> PredictedPage:
    """Return the page with the texts of the lines that are certain enough."""
    lines = iter(alignment.lines)
    regions = []
    for region, crops in page.regions:
        texts = []
        for crop in crops:
            aligned = next(lines)
            is_kept = aligned.text and aligned.confidence >= min_confidence
            texts.append(replace(crop.line, text=aligned.text if is_kept else "", confidence=aligned.confidence))
        regions.append(replace(region, lines=tuple(texts)))
    height, width = page.pixels.shape[:2]
    return PredictedPage(
        page.scan.path.name, width, height, tuple(regions), number=page.scan.number, pixels=page.pixels
    )

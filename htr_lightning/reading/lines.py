"""Lines read with a model: what `evaluate` and `predict` share."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Line, load_pixels
from htr_lightning.data.widths import WidthBatchSampler, pad_lines
from htr_lightning.decode.alignment import align, count_required_frames
from htr_lightning.decode.confidence import character_log_probabilities, log_softmax
from htr_lightning.decode.decoder import Decoder
from htr_lightning.decode.forward import text_log_probabilities
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.decode.positions import Character, Word, group_words, locate_characters
from htr_lightning.device import count_cores
from htr_lightning.image.files import DataError
from htr_lightning.image.transform import Transform
from htr_lightning.image.views import SINGLE_VIEW, View
from htr_lightning.model.load import Recognizer
from htr_lightning.report.notebook import render_line
from htr_lightning.text import describe_characters

LINES_AT_ONCE = 512  # decoded and preprocessed before the network sees them, so that widths can be sorted

Logits = NDArray[np.float32]
Lengths = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of a line.

    Attributes:
        id: of the line.
        text: empty also where the line could not be used.
        confidence: 0..1, the recognizer's probability of the whole text, summed over all CTC paths that spell it, at
            the model's temperature. A language model has no part in it. Of a line that was looked at several times, the
            highest, which is a little too high.
        pixels: ``(H, W)`` uint8, the line as the network saw it; None where it could not be used.
        problem: why it could not be used; None where it could.
        characters: those of the text with their places, and the words; where they were asked for.
        words: see ``characters``.
    """

    id: str
    text: str
    confidence: float
    pixels: NDArray[np.uint8] | None = field(repr=False)
    problem: str | None = None
    characters: tuple[Character, ...] = field(default=(), repr=False)
    words: tuple[Word, ...] = field(default=(), repr=False)

    def _repr_html_(self) -> str:
        return render_line(self.pixels, self.text, self.confidence, self.characters, self.problem or "")


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A line as the network sees it, and its transform to its image."""

    line: Line
    pixels: NDArray[np.uint8]
    transform: Transform

    def seen(self, view: View) -> "_Prepared":
        """Return the line as another view shows it."""
        transform = self.transform.copy()
        return _Prepared(self.line, view(self.pixels, transform), transform)


class LineReader:
    """Reads lines with one model.

    Images are decoded and preprocessed in as many threads as there are cores.

    Args:
        model: see `htr_lightning.model.load.load_recognizer`.
        decoder: from frames to texts.
        positions: find out where characters and words stand, and how sure each of them is.
        forced_alignment: the texts of the lines are what they say; only places and confidences are wanted.
        views: how each line is looked at; of several readings, the most confident counts. Known texts are placed in
            the line as it is.
    """

    def __init__(
        self,
        model: Recognizer,
        *,
        decoder: Decoder = greedy_decode,
        positions: bool = False,
        forced_alignment: bool = False,
        views: Sequence[View] = SINGLE_VIEW,
    ) -> None:
        self.model, self.decoder, self.positions, self.forced_alignment = model, decoder, positions, forced_alignment
        self.views = SINGLE_VIEW if forced_alignment else views

    def read(self, lines: Iterable[Line]) -> Iterator[Prediction]:
        """Read lines, in order; one that cannot be used yields a reading that says why."""
        waiting: list[Line] = []
        with _threads() as threads:
            for line in lines:
                waiting.append(line)
                if len(waiting) == LINES_AT_ONCE:
                    yield from self._read_some(waiting, threads)
                    waiting = []
            yield from self._read_some(waiting, threads)

    def logits(self, lines: Iterable[Line]) -> Iterator[tuple[list[Line], Logits, Lengths]]:
        """Yield batches of lines with what the network says: logits ``(N, T, K)`` and frame lengths ``(N,)``.

        Lines come by width; those that cannot be used are left out.
        """
        with _threads() as threads:
            prepared = [p for p in threads.map(self._prepare, lines) if isinstance(p, _Prepared)]
            for rows, logits, lengths in self._network(prepared, threads):
                yield [prepared[row].line for row in rows], logits, lengths

    def _read_some(self, lines: Sequence[Line], threads: ThreadPoolExecutor) -> list[Prediction]:
        prepared = list(threads.map(self._prepare, lines))
        readings = [p if isinstance(p, Prediction) else None for p in prepared]
        usable = [i for i, p in enumerate(prepared) if isinstance(p, _Prepared)]
        for view in self.views:
            seen = [p.seen(view) for p in prepared if isinstance(p, _Prepared)]
            for rows, logits, lengths in self._network(seen, threads):
                of_batch = self._readings([seen[row] for row in rows], logits, lengths)
                for row, reading in zip(rows, of_batch, strict=True):
                    before = readings[usable[row]]
                    if before is None or reading.confidence > before.confidence:
                        readings[usable[row]] = reading
        return [reading for reading in readings if reading is not None]

    def _prepare(self, line: Line) -> _Prepared | Prediction:
        transform = Transform()
        try:
            pixels = load_pixels(line, self.model.preprocess, transform)
        except DataError as error:
            return Prediction(line.id, "", 0.0, None, str(error))
        if self.forced_alignment and (problem := self._unfit(line, pixels.shape[1])):
            return Prediction(line.id, "", 0.0, None, problem)
        return _Prepared(line, pixels, transform)

    def _unfit(self, line: Line, width_px: int) -> str | None:
        """Return why a known text cannot be aligned with its line."""
        if unknown := self.model.charset.find_unknown(line.text):
            return f"{line.id}: the model cannot write {describe_characters(unknown)}; take it out of the text"
        needed = count_required_frames(self.model.charset.encode(line.text))
        there = int(self.model.frame_lengths(np.array([width_px]))[0])
        if needed <= there:
            return None
        return f"{line.id}: its text needs {needed} frames, but the line has {there}; is it the text of this line?"

    def _network(
        self, lines: Sequence[_Prepared], threads: ThreadPoolExecutor
    ) -> Iterator[tuple[list[int], Logits, Lengths]]:
        """Yield rows, logits and frame lengths, a batch at a time; meanwhile other threads work on the next."""
        model = self.model
        widths = np.array([line.pixels.shape[1] for line in lines], np.int64)
        batches = WidthBatchSampler(
            widths,
            height_px=model.preprocess.height_px,
            pixels_per_batch=model.pixels_per_batch,
            max_lines=64,
            width_step_px=model.info.width_step_px,
            merge_leftovers=False,
        )

        def read(rows: list[int], width_px: int) -> Logits:
            return model.logits(pad_lines([lines[row].pixels for row in rows], width_px))

        keys = [(key.rows, key.width_px) for key in batches]
        of_batches = (threads.map if model.is_parallel else map)(lambda key: read(*key), keys)
        for (rows, _), logits in zip(keys, of_batches, strict=True):
            yield rows, logits, model.frame_lengths(widths[rows])

    def _readings(self, lines: Sequence[_Prepared], logits: Logits, lengths: Lengths) -> Iterator[Prediction]:
        """Yield what a batch says."""
        if self.forced_alignment:
            texts = [self.model.charset.encode(line.line.text) for line in lines]
        else:
            texts = self.decoder(logits, lengths)
        log_probs = log_softmax(logits, self.model.info.temperature)
        confidences = np.exp(text_log_probabilities(log_probs, lengths, texts))
        if self.positions:
            spans = align(log_probs, lengths, texts)
            of_characters = character_log_probabilities(log_probs, spans, texts)
        for number, (line, ids, confidence) in enumerate(zip(lines, texts, confidences, strict=True)):
            text, pixels, to_page = self.model.charset.decode(ids), line.pixels, line.transform.to_source
            characters: list[Character] = []
            if self.positions:
                kept = slice(len(text) - len(text.lstrip()), len(text.rstrip()))
                sure = np.exp(of_characters[number][kept])
                characters = locate_characters(
                    text[kept], sure, spans[number][kept], pixels, self.model.frame_px, to_page
                )
            yield Prediction(
                line.line.id,
                self.model.charset.normalize(text.strip()),
                float(confidence),
                pixels,
                characters=tuple(characters),
                words=tuple(group_words(characters, pixels, to_page)),
            )


@contextlib.contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Start as many threads as there are cores, without OpenCV's own, which would be in their way."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with ThreadPoolExecutor(count_cores()) as threads:
            yield threads
    finally:
        cv2.setNumThreads(before)

"""Recognition of lines, shared by `evaluate` and `predict`."""

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Line, load_pixels
from htr_lightning.data.widths import WidthBatchSampler, pad_lines
from htr_lightning.decode.alignment import align, count_required_frames
from htr_lightning.decode.alternatives import Alternatives, find_alternatives
from htr_lightning.decode.confidence import character_log_probabilities, log_softmax
from htr_lightning.decode.decoder import Decoder
from htr_lightning.decode.forward import text_log_probabilities
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.decode.positions import Character, Word, group_words, locate_characters
from htr_lightning.directions.bidi import StatedDirection
from htr_lightning.image.files import DataError
from htr_lightning.image.transform import Transform
from htr_lightning.image.views import SINGLE_VIEW, View
from htr_lightning.model.info import ModelFileError
from htr_lightning.model.load import Recognizer
from htr_lightning.reading.threads import start_threads
from htr_lightning.report.notebook import render_line
from htr_lightning.text import describe_characters

CHUNK_LINES = 512  # lines that are loaded before inference, so that batches can be formed by width
_MAX_BATCH_LINES = 64

Logits = NDArray[np.float32]
Lengths = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The text of a line as predicted by a model.

    Attributes:
        id: of the line.
        text: empty also if the line could not be used.
        confidence: 0..1, the recognizer's probability of the whole text, summed over all CTC paths that spell it, at
            the model's temperature. A language model does not affect it. With test-time augmentation, the highest of
            the views, which is slightly overconfident.
        pixels: ``(H, W)`` uint8, the preprocessed line; None if it could not be used.
        error: why it could not be used; None if it could.
        characters: of the text, with their positions; empty if positions were not requested.
        words: of the text, likewise.
        alternatives: of each character, see `htr_lightning.decode.alternatives`; empty if they were not requested.
        greedy_text: the text without language model and lexicon.
    """

    id: str
    text: str
    confidence: float
    pixels: NDArray[np.uint8] | None = field(repr=False)
    error: DataError | None = None
    characters: tuple[Character, ...] = field(default=(), repr=False)
    words: tuple[Word, ...] = field(default=(), repr=False)
    alternatives: Alternatives = field(default=(), repr=False)
    greedy_text: str = field(default="", repr=False)

    @property
    def problem(self) -> str | None:
        """Why the line could not be used, as a sentence; None if it could."""
        return None if self.error is None else str(self.error)

    def _repr_html_(self) -> str:
        return render_line(self.pixels, self.text, self.confidence, self.characters, self.problem or "")


@dataclass(frozen=True, slots=True)
class _PreparedLine:
    """A preprocessed line, and its transform to the original image."""

    line: Line
    pixels: NDArray[np.uint8]
    transform: Transform

    def apply(self, view: View) -> "_PreparedLine":
        """Return the line as a view of test-time augmentation."""
        transform = self.transform.copy()
        return _PreparedLine(self.line, view(self.pixels, transform), transform)


class LineReader:
    """Recognizes lines with one model.

    Images are decoded and preprocessed in as many threads as there are cores, also while earlier lines are decoded.

    Args:
        model: see `htr_lightning.model.load.load_recognizer`.
        decoder: turns logits into class ids.
        positions: locate characters and words, with a confidence each.
        forced_alignment: align the given texts of the lines instead of decoding; only positions and confidences are
            predicted.
        views: of each line, for test-time augmentation; the most confident prediction wins. Ignored with forced
            alignment.
        num_alternatives: of each character to predict as well; 0 for none. Requires ``positions``.
    """

    def __init__(
        self,
        model: Recognizer,
        *,
        decoder: Decoder = greedy_decode,
        positions: bool = False,
        forced_alignment: bool = False,
        views: Sequence[View] = SINGLE_VIEW,
        num_alternatives: int = 0,
    ) -> None:
        self.num_alternatives = num_alternatives
        self.model, self.decoder, self.positions, self.forced_alignment = model, decoder, positions, forced_alignment
        self.views = SINGLE_VIEW if forced_alignment else views

    def read(self, lines: Iterable[Line]) -> Iterator[Prediction]:
        """Yield a prediction for each line, in order; for a line that cannot be used, one with an error."""
        with start_threads() as threads:
            chunks = self._prepare_chunks(lines, threads)
            chunk = next(chunks)
            while chunk:
                prepared = [future.result() for future in chunk]
                predictions = self._start_reading(prepared, threads)
                chunk = next(chunks)  # its images are prepared while texts are decoded
                yield from predictions()

    def logits(self, lines: Iterable[Line]) -> Iterator[tuple[list[Line], Logits, Lengths]]:
        """Yield batches of lines with their logits ``(N, T, K)`` and frame lengths ``(N,)``.

        Lines are ordered by width, the widest first; those that cannot be used are left out.
        """
        with start_threads() as threads:
            prepared = [p for p in threads.map(self._prepare, lines) if isinstance(p, _PreparedLine)]
            for rows, logits, lengths in self._run_network(prepared, threads):
                yield [prepared[row].line for row in rows], logits, lengths

    def _prepare_chunks(
        self, lines: Iterable[Line], threads: ThreadPoolExecutor
    ) -> Iterator[list[Future[_PreparedLine | Prediction]]]:
        """Yield chunks of lines that the threads have begun to prepare; after the last, empty ones."""
        remaining = iter(lines)
        while True:
            yield [threads.submit(self._prepare, line) for line in itertools.islice(remaining, CHUNK_LINES)]

    def _start_reading(
        self, prepared: Sequence[_PreparedLine | Prediction], threads: ThreadPoolExecutor
    ) -> Callable[[], list[Prediction]]:
        """Let a parallel model begin with prepared lines; return what waits for it and decodes them."""
        usable = [i for i, p in enumerate(prepared) if isinstance(p, _PreparedLine)]
        lines = [p for p in prepared if isinstance(p, _PreparedLine)]

        def start(view: View) -> tuple[list[_PreparedLine], Iterable[tuple[list[int], Logits, Lengths]]]:
            viewed = [line.apply(view) for line in lines]
            return viewed, self._run_network(viewed, threads)

        first = start(self.views[0])

        def finish() -> list[Prediction]:
            predictions = [p if isinstance(p, Prediction) else None for p in prepared]
            for viewed, batches in itertools.chain([first], map(start, self.views[1:])):
                for rows, logits, lengths in batches:
                    batch = self._decode_batch([viewed[row] for row in rows], logits, lengths)
                    for row, prediction in zip(rows, batch, strict=True):
                        best = predictions[usable[row]]
                        if best is None or prediction.confidence > best.confidence:
                            predictions[usable[row]] = prediction
            return [prediction for prediction in predictions if prediction is not None]

        return finish

    def _prepare(self, line: Line) -> _PreparedLine | Prediction:
        """Preprocess a line; return a prediction with an error if it cannot be used."""
        transform = Transform()
        try:
            pixels = load_pixels(line, self.model.preprocess, transform)
            if self.forced_alignment:
                self._check_alignable(line, pixels.shape[1])
        except DataError as error:
            # A copy has no traceback, which would keep the image of the line in memory.
            return Prediction(line.id, "", 0.0, None, copy.copy(error))
        return _PreparedLine(line, pixels, transform)

    def _check_alignable(self, line: Line, width_px: int) -> None:
        """Check that the text of a line can be aligned with it.

        Raises:
            DataError: the text has characters that the model does not know, or needs more frames than the line has.
        """
        if unknown := self.model.charset.find_unknown(line.text):
            raise DataError(
                f"the model cannot write {describe_characters(unknown)}",
                line_id=line.id,
                remedy="remove it from the text",
                kind="unknown_character",
            )
        required = count_required_frames(self.model.charset.encode(line.text, line.direction))
        available = int(self.model.frame_lengths(np.array([width_px]))[0])
        if required > available:
            raise DataError(
                f"its text needs {required} frames, but the line has only {available}",
                line_id=line.id,
                remedy="check that it is the text of this line",
                kind="too_narrow",
            )

    def _run_network(
        self, lines: Sequence[_PreparedLine], threads: ThreadPoolExecutor
    ) -> Iterable[tuple[list[int], Logits, Lengths]]:
        """Return rows, logits and frame lengths of each batch; a parallel model begins at once, with the widest lines.

        A batch of wide lines at the end would leave the other cores without work.
        """
        model = self.model
        widths = np.array([line.pixels.shape[1] for line in lines], np.int64)
        batches = WidthBatchSampler(
            widths,
            height_px=model.preprocess.height_px,
            pixels_per_batch=model.pixels_per_batch,
            max_lines=_MAX_BATCH_LINES,
            width_step_px=model.info.width_step_px,
            merge_leftovers=False,
        )

        def run(rows: list[int], width_px: int) -> Logits:
            logits = model.logits(pad_lines([lines[row].pixels for row in rows], width_px))
            if not np.isfinite(logits).all():
                raise ModelFileError(
                    "the model computes logits that are not finite (NaN or infinite)",
                    remedy="its weights are damaged: copy, export or train it again",
                    kind="damaged",
                )
            return logits

        keys = [(key.rows, key.width_px) for key in batches][::-1]
        batch_logits = (threads.map if model.is_parallel else map)(lambda key: run(*key), keys)
        return (
            (rows, logits, model.frame_lengths(widths[rows]))
            for (rows, _), logits in zip(keys, batch_logits, strict=True)
        )

    def _decode_batch(self, lines: Sequence[_PreparedLine], logits: Logits, lengths: Lengths) -> Iterator[Prediction]:
        """Yield the predictions of a batch."""
        if self.forced_alignment:
            texts = [self.model.charset.encode(line.line.text, line.line.direction) for line in lines]
        else:
            texts = self.decoder(logits, lengths)
        greedy_texts = texts if self.decoder is greedy_decode else greedy_decode(logits, lengths)
        log_probs = log_softmax(logits, self.model.info.temperature)
        # Of a model that is certain, rounding makes sums of probabilities larger than 1.
        confidences = np.minimum(np.exp(text_log_probabilities(log_probs, lengths, texts)), 1.0)
        characters: Sequence[list[Character]] = [[] for _ in lines]
        alternatives: Sequence[Alternatives] = [() for _ in lines]
        if self.positions:
            characters, alternatives = self._locate_batch(lines, log_probs, lengths, texts)
        for line, ids, greedy_ids, confidence, line_characters, others in zip(
            lines, texts, greedy_texts, confidences, characters, alternatives, strict=True
        ):
            yield Prediction(
                line.line.id,
                self._spell(ids, line.line.direction),
                float(confidence),
                line.pixels,
                characters=tuple(line_characters),
                words=tuple(group_words(line_characters, line.pixels, line.transform.to_source)),
                alternatives=others,
                greedy_text=self._spell(greedy_ids, line.line.direction),
            )

    def _spell(self, ids: Sequence[int], stated: StatedDirection) -> str:
        """Return the normalized text of class ids, in logical order."""
        charset = self.model.charset
        return charset.normalize(charset.order_logically(charset.decode_visual(ids).strip(), stated)[0])

    def _locate_batch(
        self, lines: Sequence[_PreparedLine], log_probs: Logits, lengths: Lengths, texts: Sequence[Sequence[int]]
    ) -> tuple[list[list[Character]], list[Alternatives]]:
        """Locate the characters of each line of a batch, without spaces at its ends, and find their alternatives."""
        spans = align(log_probs, lengths, texts)
        character_log_probs = character_log_probabilities(log_probs, spans, texts)
        located, alternatives = [], []
        for number, (line, ids, line_spans, line_log_probs) in enumerate(
            zip(lines, texts, spans, character_log_probs, strict=True)
        ):
            text = self.model.charset.decode_visual(ids)
            stripped = slice(len(text) - len(text.lstrip()), len(text.rstrip()))
            characters = locate_characters(
                text[stripped],
                np.exp(line_log_probs[stripped]),
                line_spans[stripped],
                line.pixels,
                self.model.frame_px,
                line.transform.to_source,
            )
            found = find_alternatives(
                log_probs[number], line_spans[stripped], ids[stripped], self.model.charset, self.num_alternatives
            )
            logical, places = self.model.charset.order_logically(text[stripped], line.line.direction)
            located.append([replace(characters[i], text=c) for c, i in zip(logical, places, strict=True)])
            alternatives.append(tuple(found[i] for i in places) if found else found)
        return located, alternatives

"""Lines read with a model: what `evaluate` and `predict` share."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from htr_lightning.charset import printable
from htr_lightning.checkpoint import Model
from htr_lightning.data.batch import WidthBatches, collate, frames_needed, to_ink
from htr_lightning.data.line import DataError, Line
from htr_lightning.data.pack import PackedLine, pixels_of
from htr_lightning.data.trace import Trace
from htr_lightning.decode.alignment import align
from htr_lightning.decode.confidence import character_log_probabilities, text_log_probabilities
from htr_lightning.decode.decoder import Decoder
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.decode.positions import Character, Word, place_characters, words_of

LINES_AT_ONCE = 512  # decoded and preprocessed before the network sees them, so that widths can be sorted
PIXELS_PER_BATCH = 1_000_000


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model says of a line.

    Attributes:
        id: of the line.
        text: empty also where the line could not be used.
        confidence: 0..1, the recogniser's probability of the whole text, summed over all CTC paths that spell it, at
            the model's temperature. A language model has no part in it.
        pixels: ``(H, W)`` uint8, the line as the network saw it; None where it could not be used.
        problem: why it could not be used; None where it could.
        characters: those of the text with their places, and the words; where they were asked for.
        words: see ``characters``.
    """

    id: str
    text: str
    confidence: float
    pixels: NDArray[np.uint8] | None
    problem: str | None = None
    characters: tuple[Character, ...] = ()
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A line as the network sees it, and the way back to its image."""

    packed: PackedLine
    trace: Trace


class LineReader:
    """Reads lines with one model.

    Args:
        model: see `htr_lightning.checkpoint.read_model`.
        device: where the network runs; must be where the model is.
        decoder: from frames to texts.
        positions: find out where characters and words stand, and how sure each of them is.
        known: the texts of the lines are what they say; only places and confidences are wanted.
    """

    def __init__(
        self,
        model: Model,
        device: str | torch.device = "cpu",
        *,
        decoder: Decoder = greedy_decode,
        positions: bool = False,
        known: bool = False,
    ) -> None:
        self.model, self.device, self.decoder = model, torch.device(device), decoder
        self.positions, self.known = positions, known

    def read(self, lines: Iterable[Line]) -> Iterator[Reading]:
        """Read lines, in order; one that cannot be used yields a reading that says why."""
        waiting: list[Line] = []
        for line in lines:
            waiting.append(line)
            if len(waiting) == LINES_AT_ONCE:
                yield from self._read_some(waiting)
                waiting = []
        yield from self._read_some(waiting)

    def scores(self, lines: Iterable[Line]) -> Iterator[tuple[list[Line], Tensor, Tensor]]:
        """Yield batches of lines with what the network says: scores ``(N, T, K)`` and frame lengths ``(N,)``.

        Lines come by width; those that cannot be used are left out.
        """
        given = list(lines)
        prepared = [self._prepare(line) for line in given]
        usable = [line for line, p in zip(given, prepared, strict=True) if isinstance(p, _Prepared)]
        for rows, scores, lengths in self._network([p for p in prepared if isinstance(p, _Prepared)]):
            yield [usable[row] for row in rows], scores, lengths

    def _read_some(self, lines: Sequence[Line]) -> list[Reading]:
        prepared = [self._prepare(line) for line in lines]
        readings = [p if isinstance(p, Reading) else None for p in prepared]
        usable = [i for i, p in enumerate(prepared) if isinstance(p, _Prepared)]
        inside = [p for p in prepared if isinstance(p, _Prepared)]
        for rows, scores, lengths in self._network(inside):
            of_batch = self._readings([inside[row] for row in rows], scores, lengths)
            for row, reading in zip(rows, of_batch, strict=True):
                readings[usable[row]] = reading
        return [reading for reading in readings if reading is not None]

    def _prepare(self, line: Line) -> _Prepared | Reading:
        trace = Trace()
        try:
            pixels = pixels_of(line, self.model.preprocess, trace)
        except DataError as error:
            return Reading(line.id, "", 0.0, None, str(error))
        if self.known and (problem := self._unfit(line, pixels.shape[1])):
            return Reading(line.id, "", 0.0, None, problem)
        return _Prepared(PackedLine(line.id, line.text, line.group, pixels), trace)

    def _unfit(self, line: Line, width_px: int) -> str | None:
        """Return why a known text cannot be aligned with its line."""
        if unknown := self.model.charset.unknown(line.text):
            return f"{line.id}: the model cannot write {printable(unknown)}; take it out of the text"
        targets = torch.tensor(self.model.charset.encode(line.text), dtype=torch.int64)
        needed = int(frames_needed(targets, torch.tensor([len(targets)])))
        there = int(self.model.network.frame_lengths(torch.tensor([width_px])))
        if needed <= there:
            return None
        return f"{line.id}: its text needs {needed} frames, but the line has {there}; is it the text of this line?"

    @torch.inference_mode()
    def _network(self, lines: Sequence[_Prepared]) -> Iterator[tuple[list[int], Tensor, Tensor]]:
        """Yield rows, scores and frame lengths, a batch at a time."""
        model = self.model
        batches = WidthBatches(
            np.array([line.packed.pixels.shape[1] for line in lines], np.int64),
            height_px=model.preprocess.height_px,
            pixels_per_batch=PIXELS_PER_BATCH,
            max_lines=64,
            width_step_px=model.info.width_step_px,
            merge=False,
        )
        for rows, width_px, _ in batches:
            batch = collate([lines[row].packed for row in rows], width_px, model.charset)
            scores = model.network(to_ink(batch.images.to(self.device))).scores.float()
            yield rows, scores, model.network.frame_lengths(batch.widths)

    def _readings(self, lines: Sequence[_Prepared], scores: Tensor, lengths: Tensor) -> Iterator[Reading]:
        """Yield what a batch says."""
        if self.known:
            texts = [self.model.charset.encode(line.packed.text) for line in lines]
        else:
            texts = self.decoder(scores, lengths)
        log_probs = (scores / self.model.info.temperature).log_softmax(2)
        confidences = np.exp(text_log_probabilities(log_probs, lengths, texts))
        if self.positions:
            spans = align(log_probs, lengths, texts)
            of_characters = character_log_probabilities(log_probs, spans, texts)
        for number, (line, ids, confidence) in enumerate(zip(lines, texts, confidences, strict=True)):
            text, pixels, back = self.model.charset.decode(ids), line.packed.pixels, line.trace.back
            characters: list[Character] = []
            if self.positions:
                kept = slice(len(text) - len(text.lstrip()), len(text.rstrip()))
                sure = np.exp(of_characters[number][kept])
                frame_px = self.model.network.frame_px
                characters = place_characters(text[kept], sure, spans[number][kept], pixels, frame_px, back)
            yield Reading(
                line.packed.id,
                self.model.charset.normalize(text.strip()),
                float(confidence),
                pixels,
                characters=tuple(characters),
                words=tuple(words_of(characters, pixels, back)),
            )


def device_named(name: str | None, fail: Callable[[str], None]) -> torch.device:
    """Return the device called ``name``, or the best there is; ``fail`` is told of one that does not exist."""
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        fail(f"--device {name}: not available here ({str(error).splitlines()[0]}); use cpu")
    return device

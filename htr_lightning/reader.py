"""Lines read with a model: what `evaluate` and `predict` share."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from htr_lightning.checkpoint import Model
from htr_lightning.data.batch import WidthBatches, collate, to_ink
from htr_lightning.data.line import DataError, Line
from htr_lightning.data.pack import PackedLine, pixels_of
from htr_lightning.decode.decoder import Decoder
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.decode.positions import Character

LINES_AT_ONCE = 512  # decoded and preprocessed before the network sees them, so that widths can be sorted
PIXELS_PER_BATCH = 1_000_000


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model says of a line.

    Attributes:
        id: of the line.
        text: empty also where the line could not be used.
        confidence: 0..1, the geometric mean of the probabilities of the frames' best classes; not calibrated.
        characters: those of the text with their places, where they were asked for.
        pixels: ``(H, W)`` uint8, the line as the network saw it; None where it could not be used.
        problem: why it could not be used; None where it could.
    """

    id: str
    text: str
    confidence: float
    pixels: NDArray[np.uint8] | None
    problem: str | None = None
    characters: tuple[Character, ...] = ()


class LineReader:
    """Reads lines with one model.

    Args:
        model: see `htr_lightning.checkpoint.read_model`.
        device: where the network runs; must be where the model is.
        decoder: from frames to texts.
    """

    def __init__(self, model: Model, device: str | torch.device = "cpu", *, decoder: Decoder = greedy_decode) -> None:
        self.model, self.device, self.decoder = model, torch.device(device), decoder

    def read(self, lines: Iterable[Line]) -> Iterator[Reading]:
        """Read lines, in order; one that cannot be used yields a reading that says why."""
        waiting: list[Line] = []
        for line in lines:
            waiting.append(line)
            if len(waiting) == LINES_AT_ONCE:
                yield from self._read_some(waiting)
                waiting = []
        yield from self._read_some(waiting)

    def _read_some(self, lines: Sequence[Line]) -> list[Reading]:
        prepared = [self._prepare(line) for line in lines]
        readings = [p if isinstance(p, Reading) else None for p in prepared]
        usable = [i for i, p in enumerate(prepared) if isinstance(p, PackedLine)]
        pixels = [p for p in prepared if isinstance(p, PackedLine)]
        for rows, texts, confidences in self._recognise(pixels):
            for row, text, confidence in zip(rows, texts, confidences, strict=True):
                line = pixels[row]
                readings[usable[row]] = Reading(line.id, text, confidence, line.pixels)
        return [reading for reading in readings if reading is not None]

    def _prepare(self, line: Line) -> PackedLine | Reading:
        try:
            pixels = pixels_of(line, self.model.preprocess)
        except DataError as error:
            return Reading(line.id, "", 0.0, None, str(error))
        return PackedLine(line.id, line.text, line.group, pixels)

    def scores(self, lines: Iterable[Line]) -> Iterator[tuple[list[Line], Tensor, Tensor]]:
        """Yield batches of lines with what the network says: scores ``(N, T, K)`` and frame lengths ``(N,)``.

        Lines come by width; those that cannot be used are left out.
        """
        given = list(lines)
        prepared = [self._prepare(line) for line in given]
        usable = [line for line, p in zip(given, prepared, strict=True) if isinstance(p, PackedLine)]
        for rows, scores, lengths in self._network([p for p in prepared if isinstance(p, PackedLine)]):
            yield [usable[row] for row in rows], scores, lengths

    def _recognise(self, lines: Sequence[PackedLine]) -> Iterator[tuple[list[int], list[str], list[float]]]:
        """Yield rows, their texts and their confidences, a batch at a time."""
        charset = self.model.charset
        for rows, scores, lengths in self._network(lines):
            texts = [charset.normalize(charset.decode(ids).strip()) for ids in self.decoder(scores, lengths)]
            best = scores.log_softmax(2).amax(2).cpu()
            confidences = [math.exp(float(frames[:n].mean())) for frames, n in zip(best, lengths.tolist(), strict=True)]
            yield rows, texts, confidences

    @torch.inference_mode()
    def _network(self, lines: Sequence[PackedLine]) -> Iterator[tuple[list[int], Tensor, Tensor]]:
        """Yield rows, scores and frame lengths, a batch at a time."""
        model = self.model
        batches = WidthBatches(
            np.array([line.pixels.shape[1] for line in lines], np.int64),
            height_px=model.preprocess.height_px,
            pixels_per_batch=PIXELS_PER_BATCH,
            max_lines=64,
            width_step_px=model.info.width_step_px,
            merge=False,
        )
        for rows, width_px, _ in batches:
            batch = collate([lines[row] for row in rows], width_px, model.charset)
            scores = model.network(to_ink(batch.images.to(self.device))).scores.float()
            yield rows, scores, model.network.frame_lengths(batch.widths)


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

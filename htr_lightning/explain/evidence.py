"""What the network says of one line, frame by frame."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from htr_lightning.charset import BLANK, CharsetError
from htr_lightning.data.line import Line, load_pixels
from htr_lightning.data.widths import pad_line
from htr_lightning.decode.alignment import align
from htr_lightning.decode.confidence import character_log_probabilities, log_softmax
from htr_lightning.decode.decoder import Decoder
from htr_lightning.decode.forward import text_log_probabilities
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.decode.positions import Character, locate_characters
from htr_lightning.image.files import DataError
from htr_lightning.image.ink import to_ink
from htr_lightning.image.transform import Transform
from htr_lightning.model.file import Model

NUM_ALTERNATIVES = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """A character of a line, and what the network says of it.

    Attributes:
        character: with its place in the line as the network saw it, and its confidence.
        class_id: of the character.
        first: its first frame on the most probable path that spells the text.
        end: the frame behind its last.
        peak: that of its frames in which it is most probable.
        alternatives: the most probable classes of that frame with their probabilities, best first; the empty string
            is the blank.
    """

    character: Character
    class_id: int
    first: int
    end: int
    peak: int
    alternatives: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a network says of a line.

    Attributes:
        id: of the line.
        pixels: ``(H, W)`` uint8, paper 255, the line as the network saw it.
        probabilities: ``(T, K)`` 0..1, the classes of each frame at the model's temperature.
        frame_px: columns of the line for each frame.
        characters: of the text.
        confidence: 0..1, of the whole text, summed over all paths.
        given: the text was given, not read.
    """

    id: str
    pixels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    frame_px: int
    characters: tuple[Seen, ...]
    confidence: float
    given: bool

    @property
    def text(self) -> str:
        """What was read, or given."""
        return "".join(seen.character.text for seen in self.characters)


def ink_of(pixels: NDArray[np.uint8], width_step_px: int) -> Tensor:
    """Return a line ``(H, W)`` as the network takes it: ``(1, 1, H, W')`` ink 0..1, padded as for reading."""
    return to_ink(torch.from_numpy(pad_line(pixels, width_step_px))[None])


def observe(
    model: Model,
    line: Line,
    *,
    decoder: Decoder = greedy_decode,
    text: str | None = None,
) -> Evidence:
    """Read a line, or look for a given text in it.

    Args:
        model: reads where it is.
        line: its own text plays no part.
        decoder: from frames to texts.
        text: look for this text instead of reading.

    Raises:
        DataError: the image cannot be used, or the text cannot be written by the model or does not fit the line.
    """
    pixels = load_pixels(line, model.preprocess)
    logits = model.logits(pad_line(pixels, model.info.width_step_px))
    log_probs = log_softmax(logits, model.info.temperature)
    lengths = model.frame_lengths(np.array([pixels.shape[1]]))
    try:
        ids = decoder(logits, lengths)[0] if text is None else model.charset.encode(text)
        spans = align(log_probs, lengths, [ids])[0]
    except CharsetError as error:
        raise DataError(f"{line.id}: {error}") from None
    except ValueError as error:  # only a text that was given can be too long
        raise DataError(f"{line.id}: the text is too long for the line ({error})") from None
    return Evidence(
        line.id,
        pixels,
        np.exp(log_probs[0, : lengths[0]]),
        model.frame_px,
        tuple(_characters(model, pixels, log_probs, spans, ids)),
        float(np.exp(text_log_probabilities(log_probs, lengths, [ids])[0])),
        text is not None,
    )


def _characters(
    model: Model, pixels: NDArray[np.uint8], log_probs: NDArray[np.float32], spans: NDArray[np.int64], ids: list[int]
) -> list[Seen]:
    """Return the characters of a text without the spaces around it."""
    text = model.charset.decode(ids)
    kept = slice(len(text) - len(text.lstrip()), max(len(text.rstrip()), len(text) - len(text.lstrip())))
    sure = np.exp(character_log_probabilities(log_probs, [spans], [ids])[0])
    places = locate_characters(text[kept], sure[kept], spans[kept], pixels, model.frame_px, Transform().to_source)
    seen = []
    for place, class_id, (first, end) in zip(places, ids[kept], spans[kept].tolist(), strict=True):
        peak = first + int(log_probs[0, first:end, class_id].argmax())
        best = np.argsort(-log_probs[0, peak], kind="stable")[:NUM_ALTERNATIVES]
        alternatives = tuple(
            ("" if other == BLANK else model.charset.decode([other]), probability)
            for other, probability in zip(best.tolist(), np.exp(log_probs[0, peak, best]).tolist(), strict=True)
        )
        seen.append(Seen(place, class_id, first, end, peak, alternatives))
    return seen

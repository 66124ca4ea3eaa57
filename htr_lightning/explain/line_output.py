"""The output of a network for one line, frame by frame and character by character."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from htr_lightning.charset import BLANK, CharsetError
from htr_lightning.data.line import Line, load_pixels
from htr_lightning.data.widths import pad_line
from htr_lightning.decode.alignment import align, count_required_frames
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
class CharacterOutput:
    """The output of a network for one character of a text.

    Attributes:
        character: with its position in the preprocessed line and its confidence.
        class_id: of the character.
        first: its first frame on the most probable alignment of the text.
        end: the frame after its last one.
        peak: the frame in which it is most probable.
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
class LineOutput:
    """The output of a network for one line.

    Attributes:
        id: of the line.
        pixels: the preprocessed line, ``(H, W)`` uint8, paper 255.
        probabilities: of the classes in each frame at the model's temperature, ``(T, K)`` 0..1.
        frame_px: columns of the line per frame.
        characters: of the text.
        confidence: probability of the whole text, summed over all alignments, 0..1.
        is_given: the text was given by the user instead of predicted.
    """

    id: str
    pixels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    frame_px: int
    characters: tuple[CharacterOutput, ...]
    confidence: float
    is_given: bool

    @property
    def text(self) -> str:
        """The predicted or given text."""
        return "".join(output.character.text for output in self.characters)


def to_network_input(pixels: NDArray[np.uint8], width_step_px: int) -> Tensor:
    """Convert a preprocessed line ``(H, W)`` to the network's input: ``(1, 1, H, W')`` ink 0..1, padded."""
    return to_ink(torch.from_numpy(pad_line(pixels, width_step_px))[None])


def compute_line_output(
    model: Model,
    line: Line,
    *,
    decoder: Decoder = greedy_decode,
    text: str | None = None,
) -> LineOutput:
    """Run a network on a line, and align the predicted or a given text with its frames.

    Args:
        model: on any device.
        line: its own text is ignored.
        decoder: turns logits into class ids.
        text: to align instead of the prediction.

    Raises:
        DataError: the image cannot be used, or the given text has characters outside of the charset or needs more
            frames than the line has.
    """
    pixels = load_pixels(line, model.preprocess)
    logits = model.logits(pad_line(pixels, model.info.width_step_px))
    log_probs = log_softmax(logits, model.info.temperature)
    lengths = model.frame_lengths(np.array([pixels.shape[1]]))
    try:
        ids = decoder(logits, lengths)[0] if text is None else model.charset.encode(text)
    except CharsetError as error:
        remedy = "remove it from the text"
        raise DataError(error.problem, line_id=line.id, remedy=remedy, kind="charset") from None
    if (required := count_required_frames(ids)) > lengths[0]:  # only a given text can be too long
        problem = f"the text is too long for the line: it needs {required} frames, but the line has {lengths[0]}"
        remedy = "check that it is the text of this line"
        raise DataError(problem, line_id=line.id, remedy=remedy, kind="too_long")
    spans = align(log_probs, lengths, [ids])[0]
    return LineOutput(
        line.id,
        pixels,
        np.exp(log_probs[0, : lengths[0]]),
        model.frame_px,
        tuple(_build_characters(model, pixels, log_probs, spans, ids)),
        float(np.exp(text_log_probabilities(log_probs, lengths, [ids])[0])),
        text is not None,
    )


def _build_characters(
    model: Model, pixels: NDArray[np.uint8], log_probs: NDArray[np.float32], spans: NDArray[np.int64], ids: list[int]
) -> list[CharacterOutput]:
    """Return the characters of a text without leading and trailing spaces."""
    text = model.charset.decode_visual(ids)
    start = len(text) - len(text.lstrip())
    inner = slice(start, max(len(text.rstrip()), start))
    confidences = np.exp(character_log_probabilities(log_probs, [spans], [ids])[0])
    characters = locate_characters(
        text[inner], confidences[inner], spans[inner], pixels, model.frame_px, Transform().to_source
    )
    outputs = []
    for character, class_id, (first, end) in zip(characters, ids[inner], spans[inner].tolist(), strict=True):
        peak = first + int(log_probs[0, first:end, class_id].argmax())
        best = np.argsort(-log_probs[0, peak], kind="stable")[:NUM_ALTERNATIVES]
        alternatives = tuple(
            ("" if other == BLANK else model.charset.decode_visual([other]), probability)
            for other, probability in zip(best.tolist(), np.exp(log_probs[0, peak, best]).tolist(), strict=True)
        )
        outputs.append(CharacterOutput(character, class_id, first, end, peak, alternatives))
    return outputs

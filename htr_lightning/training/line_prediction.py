"""What ``trainer.predict`` returns."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.decode.confidence import log_softmax
from htr_lightning.decode.decoder import Decoder
from htr_lightning.decode.forward import text_log_probabilities


class LinePrediction(NamedTuple):
    """What ``trainer.predict`` returns for a line.

    Attributes:
        id: of the line.
        text: as predicted.
        confidence: 0..1, the model's probability of the whole text, summed over all CTC paths that spell it.
    """

    id: str
    text: str
    confidence: float


def predict_lines(
    logits: NDArray[np.float32],
    lengths: NDArray[np.int64],
    line_ids: list[str],
    *,
    charset: Charset,
    decoder: Decoder,
    temperature: float = 1.0,
) -> list[LinePrediction]:
    """Return a prediction for each line of a batch.

    Args:
        logits: ``(N, T, K)``.
        lengths: ``(N,)``, the frames of each line.
        line_ids: of the lines.
        charset: of the model.
        decoder: turns logits into class ids.
        temperature: that calibrates the confidences.
    """
    ids = decoder(logits, lengths)
    confidences = np.exp(text_log_probabilities(log_softmax(logits, temperature), lengths, ids))
    return [
        LinePrediction(line_id, charset.decode(line).strip(), float(confidence))
        for line_id, line, confidence in zip(line_ids, ids, confidences, strict=True)
    ]

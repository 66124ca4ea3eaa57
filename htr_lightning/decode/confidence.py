"""How sure a recognizer is: probabilities of characters, and the temperature that makes them true."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from htr_lightning.charset import Charset
from htr_lightning.decode.alignment import align
from htr_lightning.decode.forward import text_log_probabilities
from htr_lightning.decode.greedy import greedy_decode

Floats = NDArray[np.float64]

CALIBRATION_LINES = 2000
"""At most so many lines are used to find a temperature."""
_LEAST, _MOST = 0.3, 5.0  # temperatures looked at


def log_softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Return the log-probabilities of classes, ``(..., K)`` as their logits, at a temperature."""
    values = logits - logits.max(-1, keepdims=True)
    if temperature != 1:
        values /= np.float32(temperature)
    values -= np.log(np.exp(values).sum(-1, keepdims=True))
    return np.asarray(values, np.float32)


def character_log_probabilities(
    log_probs: NDArray[np.float32], spans: Sequence[NDArray[np.int64]], texts: Sequence[Sequence[int]]
) -> list[Floats]:
    """Return ``(L,)`` for each line: the log-probability of each character in the most_confident of its frames.

    Args:
        log_probs: ``(N, T, K)``.
        spans: of each line ``(L, 2)``, see `htr_lightning.decode.alignment.align`.
        texts: N texts of class ids.
    """
    return [
        np.array([of_line[start:end, id].max() for id, (start, end) in zip(text, of_spans, strict=True)], np.float64)
        for of_line, of_spans, text in zip(log_probs, spans, texts, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class CalibrationBatch:
    """A batch of lines that a network saw, and what they say.

    Attributes:
        logits: ``(N, T, K)``.
        frame_lengths: ``(N,)``.
        texts: what the lines say, normalized.
    """

    logits: NDArray[np.float32]
    frame_lengths: NDArray[np.int64]
    texts: list[str]


@dataclass(frozen=True, slots=True)
class ConfidenceOutcomes:
    """Confidences of greedy readings, and whether they are right: of characters and of lines.

    Attributes:
        characters: ``(C,)`` 0..1.
        correct_characters: ``(C,)`` bool.
        lines: ``(N,)`` 0..1.
        correct_lines: ``(N,)`` bool.
    """

    characters: Floats
    correct_characters: NDArray[np.bool_]
    lines: Floats
    correct_lines: NDArray[np.bool_]

    def nll(self) -> float:
        """Return the mean negative log-likelihood of what is right and wrong, of characters and lines together."""
        return _nll(self.characters, self.correct_characters) + _nll(self.lines, self.correct_lines)


class Calibrator:
    """Finds the temperature at which a recognizer is as often right as it says (Guo et al. 2017, section 4.2).

    Logits are divided by the temperature before the softmax: above 1 it makes the model less sure. It changes no
    greedy reading. Characters and lines share one; the best is where `ConfidenceOutcomes.nll` is least.

    Args:
        observed: lines that the model was not trained on.
        charset: of the model.
    """

    def __init__(self, observed: Sequence[CalibrationBatch], charset: Charset) -> None:
        self._observed, self._charset = observed, charset
        self._texts = [greedy_decode(batch.logits, batch.frame_lengths) for batch in observed]
        self._spans = [
            align(log_softmax(batch.logits), batch.frame_lengths, texts)
            for batch, texts in zip(observed, self._texts, strict=True)
        ]

    def score(self, temperature: float) -> ConfidenceOutcomes:
        """Return all confidences at a temperature."""
        characters: list[Floats] = []
        lines: list[Floats] = []
        right: list[NDArray[np.bool_]] = []
        right_lines: list[bool] = []
        for batch, texts, spans in zip(self._observed, self._texts, self._spans, strict=True):
            log_probs = log_softmax(batch.logits, temperature)
            characters += character_log_probabilities(log_probs, spans, texts)
            lines.append(text_log_probabilities(log_probs, batch.frame_lengths, texts))
            for reference, ids in zip(batch.texts, texts, strict=True):
                text = self._charset.decode(ids)
                right.append(_right(reference, text))
                right_lines.append(reference == text.strip())
        return ConfidenceOutcomes(
            np.exp(np.concatenate([*characters, np.zeros(0)])),
            np.concatenate([*right, np.zeros(0, bool)]),
            np.exp(np.concatenate([*lines, np.zeros(0)])),
            np.array(right_lines, bool),
        )

    def fit_temperature(self) -> float:
        """Return the best temperature, to two digits; 1 where there is nothing to learn it from."""
        if not any(any(texts) for texts in self._texts):
            return 1.0
        tried: dict[float, float] = {}

        def nll(temperature: float) -> float:
            if temperature not in tried:
                tried[temperature] = self.score(temperature).nll()
            return tried[temperature]

        grid = np.geomspace(_LEAST, _MOST, 10)
        for _ in range(3):  # each round looks between the neighbors of the best so far
            best = int(np.argmin([nll(float(t)) for t in grid]))
            grid = np.geomspace(grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)], 7)
        return round(min(tried.items(), key=lambda item: item[1])[0], 2)


def _right(reference: str, text: str) -> NDArray[np.bool_]:
    """Say of each character of a reading whether it stands in the reference: neither put in nor another's."""
    right = np.ones(len(text), bool)
    for operation in Levenshtein.editops(reference, text):
        if operation.tag != "delete":
            right[operation.dest_pos] = False
    return right


def _nll(confidences: Floats, right: NDArray[np.bool_]) -> float:
    likely = np.where(right, confidences, 1 - confidences)
    return float(-np.log(likely.clip(1e-6)).mean()) if len(likely) else 0.0

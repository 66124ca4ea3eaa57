"""Confidences: probabilities of characters and lines, and temperature scaling to calibrate them."""

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

MAX_CALIBRATION_LINES = 2000
"""Maximum number of lines from which the temperature is fitted."""
_MIN_TEMPERATURE, _MAX_TEMPERATURE = 0.3, 5.0


DOUBT_FACTOR = 1.65
"""CER divided by what the characters lack in confidence: missing characters have none, and models are too confident of
writing unlike their training data. Fitted over archives and models (experiments/pretrain_latin/expected.py)."""


def compute_expected_cer(mean_confidence: float) -> float:
    """Return the CER to expect, 0..1, of a text whose characters have a mean confidence."""
    return min(1.0, DOUBT_FACTOR * (1 - mean_confidence))


def log_softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Return the log-softmax of logits ``(..., K)`` divided by a temperature."""
    values = logits - logits.max(-1, keepdims=True)
    if temperature != 1:
        values /= np.float32(temperature)
    values -= np.log(np.exp(values).sum(-1, keepdims=True))
    return np.asarray(values, np.float32)


def character_log_probabilities(
    log_probs: NDArray[np.float32], spans: Sequence[NDArray[np.int64]], texts: Sequence[Sequence[int]]
) -> list[Floats]:
    """Return ``(L,)`` for each line: the highest log-probability of each character in its frames.

    Args:
        log_probs: ``(N, T, K)``.
        spans: frames of each character, ``(L, 2)`` for each line; see `htr_lightning.decode.alignment.align`.
        texts: N texts of class ids.
    """
    return [
        np.array([frames[start:end, id].max() for id, (start, end) in zip(text, line_spans, strict=True)], np.float64)
        for frames, line_spans, text in zip(log_probs, spans, texts, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class CalibrationBatch:
    """Logits and ground truth of a batch of lines.

    Attributes:
        logits: ``(N, T, K)``.
        frame_lengths: ``(N,)``.
        texts: normalized transcriptions of the lines.
    """

    logits: NDArray[np.float32]
    frame_lengths: NDArray[np.int64]
    texts: list[str]


@dataclass(frozen=True, slots=True)
class ConfidenceOutcomes:
    """Confidences of greedy predictions, and whether the predictions are correct.

    Attributes:
        characters: ``(C,)`` confidence of each predicted character, 0..1.
        correct_characters: ``(C,)`` bool.
        lines: ``(N,)`` confidence of each predicted line, 0..1.
        correct_lines: ``(N,)`` bool.
    """

    characters: Floats
    correct_characters: NDArray[np.bool_]
    lines: Floats
    correct_lines: NDArray[np.bool_]

    def nll(self) -> float:
        """Return the mean negative log-likelihood of the outcomes, of characters plus that of lines."""
        return _nll(self.characters, self.correct_characters) + _nll(self.lines, self.correct_lines)


class Calibrator:
    """Temperature scaling (Guo et al. 2017, section 4.2).

    Logits are divided by the temperature before the softmax; a temperature above 1 lowers confidences. Greedy
    predictions do not change. Characters and lines share one temperature, which minimizes `ConfidenceOutcomes.nll`.

    Args:
        batches: lines that the model was not trained on.
        charset: of the model.
    """

    def __init__(self, batches: Sequence[CalibrationBatch], charset: Charset) -> None:
        self._batches, self._charset = batches, charset
        self._texts = [greedy_decode(batch.logits, batch.frame_lengths) for batch in batches]
        self._spans = [
            align(log_softmax(batch.logits), batch.frame_lengths, texts)
            for batch, texts in zip(batches, self._texts, strict=True)
        ]

    def evaluate(self, temperature: float) -> ConfidenceOutcomes:
        """Compare the confidences at a temperature with the ground truth."""
        characters: list[Floats] = []
        lines: list[Floats] = []
        correct: list[NDArray[np.bool_]] = []
        correct_lines: list[bool] = []
        for batch, texts, spans in zip(self._batches, self._texts, self._spans, strict=True):
            log_probs = log_softmax(batch.logits, temperature)
            characters += character_log_probabilities(log_probs, spans, texts)
            lines.append(text_log_probabilities(log_probs, batch.frame_lengths, texts))
            for reference, ids in zip(batch.texts, texts, strict=True):
                text = self._charset.decode_visual(ids)  # like the confidences
                reference = self._charset.to_visual(reference)
                correct.append(_find_correct_characters(reference, text))
                correct_lines.append(reference == text.strip())
        return ConfidenceOutcomes(
            np.exp(np.concatenate([*characters, np.zeros(0)])),
            np.concatenate([*correct, np.zeros(0, bool)]),
            np.exp(np.concatenate([*lines, np.zeros(0)])),
            np.array(correct_lines, bool),
        )

    def fit_temperature(self) -> float:
        """Return the temperature with the lowest NLL, rounded to two digits; 1 if all predictions are empty."""
        if not any(any(texts) for texts in self._texts):
            return 1.0
        results: dict[float, float] = {}

        def nll(temperature: float) -> float:
            if temperature not in results:
                results[temperature] = self.evaluate(temperature).nll()
            return results[temperature]

        grid = np.geomspace(_MIN_TEMPERATURE, _MAX_TEMPERATURE, 10)
        for _ in range(3):  # each round refines the grid around the best temperature so far
            best = int(np.argmin([nll(float(t)) for t in grid]))
            grid = np.geomspace(grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)], 7)
        return round(min(results.items(), key=lambda item: item[1])[0], 2)


def _find_correct_characters(reference: str, text: str) -> NDArray[np.bool_]:
    """Return ``(L,)`` bool: whether each predicted character is neither an insertion nor a substitution."""
    correct = np.ones(len(text), bool)
    for operation in Levenshtein.editops(reference, text):
        if operation.tag != "delete":
            correct[operation.dest_pos] = False
    return correct


def _nll(confidences: Floats, correct: NDArray[np.bool_]) -> float:
    likelihoods = np.where(correct, confidences, 1 - confidences)
    return float(-np.log(likelihoods.clip(1e-6)).mean()) if len(likelihoods) else 0.0

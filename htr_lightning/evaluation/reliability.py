"""Reliability of confidences: of the predictions with a confidence of 0.9, 9 in 10 should be correct."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reliability:
    """Accuracy of predictions by confidence (the numbers of a reliability diagram).

    Attributes:
        counts: predictions in each of B bins, ``(B,)``; the bins divide 0..1 evenly.
        confidences: mean confidence in each bin, ``(B,)``; 0 in an empty one.
        accuracies: fraction of correct predictions in each bin, ``(B,)``; 0 in an empty one.
    """

    counts: NDArray[np.int64]
    confidences: Floats
    accuracies: Floats

    @property
    def expected_calibration_error(self) -> float:
        """The absolute difference between confidence and accuracy, averaged over predictions (ECE)."""
        return float(self.counts @ np.abs(self.confidences - self.accuracies) / self.counts.sum())


def measure_reliability(
    confidences: Sequence[float] | Floats, correct: Sequence[bool], num_bins: int = 15
) -> Reliability:
    """Sort predictions into bins of equal width (Guo et al. 2017: the upper edge belongs to the bin).

    Args:
        confidences: of the predictions, 0..1.
        correct: whether each prediction is correct.
        num_bins: B.

    Raises:
        ValueError: no prediction, sequences of different lengths, or a confidence outside of 0..1.
    """
    values, outcomes = np.asarray(confidences, np.float64), np.asarray(correct, np.float64)
    if not len(values) or values.shape != outcomes.shape:
        raise ValueError(f"{len(values)} confidences, but {len(outcomes)} outcomes; give both for each prediction")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("confidences must be from 0 to 1")
    bins = np.maximum(np.searchsorted(np.linspace(0, 1, num_bins + 1), values, "left") - 1, 0)
    counts = np.bincount(bins, minlength=num_bins)
    means = [np.bincount(bins, column, num_bins) / np.maximum(counts, 1) for column in (values, outcomes)]
    return Reliability(counts, *means)


def compute_expected_calibration_error(
    confidences: Sequence[float] | Floats, correct: Sequence[bool], num_bins: int = 15
) -> float:
    """Return the expected calibration error (ECE; Naeini et al. 2015, Guo et al. 2017); lower is better.

    Args:
        confidences: of the predictions, 0..1.
        correct: whether each prediction is correct.
        num_bins: of equal width.

    Raises:
        ValueError: see `measure_reliability`.
    """
    return measure_reliability(confidences, correct, num_bins).expected_calibration_error

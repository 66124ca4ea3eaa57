"""Whether confidences mean what they say: of all that is called 0.9 sure, 9 in 10 should be right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often predictions are right, by how sure they are.

    Attributes:
        counts: of the predictions in each bin, ``(B,)``; the bins divide 0..1 evenly.
        confidences: their mean in each bin; 0 in an empty one.
        accuracies: the share that is right in each bin; 0 in an empty one.
    """

    counts: NDArray[np.int64]
    confidences: Floats
    accuracies: Floats

    @property
    def error(self) -> float:
        """The expected calibration error: how far confidence and accuracy are apart, on average over predictions."""
        return float(self.counts @ np.abs(self.confidences - self.accuracies) / self.counts.sum())


def reliability(confidences: Sequence[float] | Floats, correct: Sequence[bool], num_bins: int = 15) -> Reliability:
    """Sort predictions into bins of equal width (Guo et al. 2017: the upper edge belongs to the bin).

    Args:
        confidences: of the predictions, 0..1.
        correct: whether each is right.
        num_bins: how many bins divide 0..1.

    Raises:
        ValueError: no prediction, sequences of different lengths, or a confidence that is none.
    """
    sure, right = np.asarray(confidences, np.float64), np.asarray(correct, np.float64)
    if not len(sure) or sure.shape != right.shape:
        raise ValueError(f"{len(sure)} confidences and {len(right)} outcomes are not of the same predictions")
    if not ((sure >= 0) & (sure <= 1)).all():
        raise ValueError("a confidence is a number from 0 to 1")
    bins = np.maximum(np.searchsorted(np.linspace(0, 1, num_bins + 1), sure, "left") - 1, 0)
    counts = np.bincount(bins, minlength=num_bins)
    means = [np.bincount(bins, values, num_bins) / np.maximum(counts, 1) for values in (sure, right)]
    return Reliability(counts, *means)


def expected_calibration_error(
    confidences: Sequence[float] | Floats, correct: Sequence[bool], num_bins: int = 15
) -> float:
    """Return the mean distance between confidence and accuracy (ECE; Naeini et al. 2015, Guo et al. 2017): 0 is best.

    Args:
        confidences: of the predictions, 0..1.
        correct: whether each is right.
        num_bins: of equal width, in each of which the two are compared.

    Raises:
        ValueError: see `reliability`.
    """
    return reliability(confidences, correct, num_bins).error

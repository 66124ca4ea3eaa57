"""Expected calibration error, and the bins that it is made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htr_lightning.evaluation.reliability import compute_expected_calibration_error, measure_reliability


def test_an_error_worked_out_by_hand() -> None:
    # Two bins: (0.2, 0.4) with one of two right, and (0.6, 0.8, 1.0) with all three right.
    confidences, correct = [0.2, 0.4, 0.6, 0.8, 1.0], [True, False, True, True, True]
    found = measure_reliability(confidences, correct, num_bins=2)
    assert found.counts.tolist() == [2, 3]
    assert found.confidences.tolist() == pytest.approx([0.3, 0.8]) and found.accuracies.tolist() == [0.5, 1.0]
    assert found.expected_calibration_error == pytest.approx((2 * 0.2 + 3 * 0.2) / 5)
    assert compute_expected_calibration_error(confidences, correct, 2) == found.expected_calibration_error


def test_the_upper_edge_belongs_to_a_bin() -> None:
    assert measure_reliability([0.0, 0.5, 0.500001, 1.0], [True] * 4, num_bins=2).counts.tolist() == [2, 2]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_errors_are_shares_and_every_prediction_is_in_a_bin(rows: list[tuple[float, bool]]) -> None:
    found = measure_reliability([c for c, _ in rows], [r for _, r in rows])
    assert (
        found.counts.sum() == len(rows)
        and len(found.counts) == 15
        and 0 <= found.expected_calibration_error <= 1 + 1e-9
    )


def test_what_cannot_be_measured() -> None:
    for confidences, correct in (([], []), ([0.5], [True, False])):
        with pytest.raises(ValueError, match="give both for each prediction"):
            measure_reliability(confidences, correct)
    for confidence in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="from 0 to 1"):
            measure_reliability([confidence], [True])

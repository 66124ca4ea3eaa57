import numpy as np
import pytest

from htr_lightning.evaluation.intervals import compute_rate_interval


def test_interval_surrounds_the_rate_and_narrows_with_more_lines() -> None:
    generator = np.random.default_rng(0)

    def width(num_lines: int) -> float:
        edits = generator.binomial(40, 0.1, num_lines).tolist()
        low, high = compute_rate_interval(edits, [40] * num_lines)
        assert low < sum(edits) / (40 * num_lines) < high
        return high - low

    assert width(2000) < 0.5 * width(100)


def test_it_covers_the_true_rate_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        low, high = compute_rate_interval(generator.binomial(40, 0.1, 60).tolist(), [40] * 60, num_samples=400)
        inside += low <= 0.1 <= high
    assert 175 <= inside <= 199


def test_lines_of_a_group_stand_or_fall_together() -> None:
    edits, groups = [0] * 50 + [20] * 50, ["good"] * 50 + ["bad"] * 50
    assert compute_rate_interval(edits, [40] * 100, groups) == (0.0, 0.5)
    low, high = compute_rate_interval(edits, [40] * 100)
    assert 0.15 < low < 0.25 < high < 0.35
    assert compute_rate_interval(edits, [40] * 100, [""] * 100) == (low, high), "no line names its group"


def test_the_same_seed_gives_the_same_interval() -> None:
    edits, lengths = [1, 2, 3, 0], [10, 20, 5, 8]
    assert compute_rate_interval(edits, lengths, seed=3) == compute_rate_interval(edits, lengths, seed=3)
    assert compute_rate_interval([3, 3], [12, 12]) == (0.25, 0.25)


@pytest.mark.parametrize(("edits", "lengths", "groups"), [([], [], None), ([1], [1, 2], None), ([1], [2], ["a", "b"])])
def test_what_cannot_be_measured(edits: list[int], lengths: list[int], groups: list[str] | None) -> None:
    with pytest.raises(ValueError, match="give edits, length and group of each line"):
        compute_rate_interval(edits, lengths, groups)

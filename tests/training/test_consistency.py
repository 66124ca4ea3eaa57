"""Two views of each line, which are to be read alike (`consistency_weight`)."""

import csv
import math
from pathlib import Path

import pytest
import torch
from helpers.runs import train, weights_equal

from htr_lightning.training.losses import consistency_loss


def test_views_that_are_read_alike_are_consistent() -> None:
    scores = torch.randn(2, 5, 4)
    lengths, characters = torch.tensor([5, 5] * 2), torch.tensor([2, 3] * 2)
    assert float(consistency_loss(scores.repeat(2, 1, 1), lengths, characters)) == pytest.approx(0, abs=1e-6)
    shifted = torch.cat((scores, scores + 7))  # the same distributions
    assert float(consistency_loss(shifted, lengths, characters)) == pytest.approx(0, abs=1e-6)


def test_consistency_is_the_divergence_both_ways_per_character() -> None:
    one, other = torch.tensor([0.5, 0.25, 0.25]), torch.tensor([0.25, 0.5, 0.25])
    scores = torch.stack((one, other)).log()[:, None].repeat(1, 3, 1)  # one line in two views, three frames
    loss = consistency_loss(scores, torch.tensor([2, 2]), torch.tensor([4, 4]))
    divergence = 0.5 * math.log(0.5 / 0.25) + 0.25 * math.log(0.25 / 0.5)  # the same the other way
    assert float(loss) == pytest.approx(2 * divergence / 4), "two of the frames are the line's, for four characters"


def test_each_view_learns_from_the_other_which_is_held_fixed() -> None:
    scores = torch.randn(2, 1, 4, requires_grad=True)
    consistency_loss(scores, torch.tensor([1, 1]), torch.tensor([1, 1])).backward()
    one, other = scores.detach()[:, 0].softmax(1)
    assert scores.grad is not None
    # The gradient of a cross entropy: what is said less what the other view says.
    torch.testing.assert_close(scores.grad[:, 0], torch.stack((one - other, other - one)) / 2)


def test_consistency_is_fp32_under_autocast() -> None:
    scores, twice = torch.randn(2, 5, 4).bfloat16(), torch.tensor([5, 5])
    with torch.autocast("cpu", torch.bfloat16):
        loss = consistency_loss(scores, twice, twice)
    assert loss.dtype == torch.float32 and loss.equal(consistency_loss(scores.float(), twice, twice))


def test_a_run_learns_from_the_views_and_logs_how_far_they_are_apart(small_set: Path, tmp_path: Path) -> None:
    for weight in (0.2, 2.0):
        train(small_set, tmp_path / str(weight), "trainer.max_epochs=1", f"consistency_weight={weight}")
    assert not weights_equal(tmp_path / "0.2", tmp_path / "2.0")
    with next((tmp_path / "0.2" / "csv").rglob("metrics.csv")).open(encoding="utf-8") as file:
        logged = [row["train/consistency_epoch"] for row in csv.DictReader(file)]
    assert any(float(value) > 0 for value in logged if value)

import itertools
import math

import pytest
import torch

from htr_lightning.charset import Charset
from htr_lightning.data.batch import Batch
from htr_lightning.model.crnn import CRNN
from htr_lightning.training.optim import AdamW
from htr_lightning.training.task import NonFiniteLossError, RecognitionTask, ctc_loss

CHARSET = Charset(list("abc"))


def tiny() -> CRNN:
    return CRNN(4, channels=[8], blocks=[1], strides=[[2, 2]], stem_channels=4, rnn_size=8, rnn_layers=1)


def test_ctc_of_one_frame_is_minus_log_probability() -> None:
    scores = torch.tensor([[[0.0, 1.0, 2.0, 3.0]]])
    expected = -scores[0, 0].log_softmax(0)[2]
    loss = ctc_loss(scores, torch.tensor([2]), torch.tensor([1]), torch.tensor([1]))
    torch.testing.assert_close(loss, expected)


def test_ctc_counts_each_line_by_its_length() -> None:
    scores = torch.randn(2, 6, 4)
    one = [
        ctc_loss(scores[i : i + 1], torch.tensor(t), torch.tensor([6]), torch.tensor([len(t)]))
        for i, t in enumerate(([1], [1, 2, 3]))
    ]
    both = ctc_loss(scores, torch.tensor([1, 1, 2, 3]), torch.tensor([6, 6]), torch.tensor([1, 3]))
    torch.testing.assert_close(both, torch.stack(one).mean())


def test_a_line_without_enough_frames_counts_nothing_and_leaves_finite_gradients() -> None:
    scores = torch.randn(2, 4, 4, requires_grad=True)
    # "aab" needs four frames and has three.
    loss = ctc_loss(scores, torch.tensor([2, 3, 1, 1, 2]), torch.tensor([4, 3]), torch.tensor([2, 3]))
    alone = ctc_loss(scores[:1], torch.tensor([2, 3]), torch.tensor([4]), torch.tensor([2]))
    torch.testing.assert_close(loss, alone)
    loss.backward()
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all() and not scores.grad[1].any() and scores.grad[0].any()


def test_ctc_is_fp32_under_autocast() -> None:
    scores = torch.randn(1, 5, 4)
    arguments = torch.tensor([1, 2]), torch.tensor([5]), torch.tensor([2])
    with torch.autocast("cpu", torch.bfloat16):
        assert ctc_loss(scores, *arguments).equal(ctc_loss(scores, *arguments).float())
        assert ctc_loss(scores.bfloat16(), *arguments).dtype == torch.float32


def test_non_finite_loss_names_the_lines() -> None:
    task = RecognitionTask(tiny(), CHARSET, AdamW())
    with torch.no_grad():
        task.model.head.weight.fill_(math.nan)
    batch = Batch(
        images=torch.rand(2, 1, 48, 64),
        widths=torch.tensor([64, 64]),
        targets=torch.tensor([1, 2]),
        target_lengths=torch.tensor([1, 1]),
        ids=["page1/line1", "page1/line2"],
        texts=["a", "b"],
        seed=1,
    )
    with pytest.raises(NonFiniteLossError, match=r"loss is nan at step 0.*page1/line1, page1/line2.*optim\.lr"):
        task.training_step(batch, 0)


def test_lines_are_not_taken_for_views() -> None:
    task = RecognitionTask(tiny(), CHARSET, AdamW(), consistency_weight=0.2)
    lengths = torch.tensor([64, 64]), torch.tensor([1, 2]), torch.tensor([1, 1])
    batch = Batch(torch.rand(2, 1, 48, 64), *lengths, ids=["a", "b"], texts=["a", "b"], seed=1)
    with pytest.raises(ValueError, match=r"consistency_weight: the batch must have two views of each line, but has 1"):
        task.training_step(batch, 0)


def test_weights_are_decayed_and_biases_are_not() -> None:
    optimizer, _ = AdamW(weight_decay=0.1).build(tiny(), 10)
    decayed, spared = optimizer.param_groups
    assert decayed["weight_decay"] == 0.1 and all(p.ndim > 1 for p in decayed["params"])
    assert spared["weight_decay"] == 0 and all(p.ndim <= 1 for p in spared["params"])


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "multi_step", "constant"])
def test_schedules(schedule: str) -> None:
    optim = AdamW(schedule=schedule, warmup=0.1, flat=0.2, final=0.01)  # type: ignore[arg-type]
    factors = [optim.factor(i / 100) for i in range(101)]
    assert all(0 < f <= 1 for f in factors) and factors[10] == pytest.approx(1)
    assert factors[0] < 0.05
    assert all(a <= b for a, b in itertools.pairwise(factors[:11]))
    assert all(a >= b for a, b in itertools.pairwise(factors[10:]))
    end = {"one_cycle": 0.01, "cosine": 0.01, "multi_step": 0.01, "constant": 1.0}[schedule]
    assert factors[-1] == pytest.approx(end)
    if schedule == "multi_step":
        assert factors[49] == 1 and factors[50] == pytest.approx(0.1) and factors[75] == pytest.approx(0.01)
    if schedule in ("one_cycle", "cosine"):
        assert factors[30] == pytest.approx(1) and factors[65] == pytest.approx(0.505)


def test_optimizer_options_are_checked() -> None:
    with pytest.raises(ValueError, match=r"optim: warmup \(0\.6\) and flat \(0\.5\)"):
        AdamW(warmup=0.6, flat=0.5)
    with pytest.raises(ValueError, match=r"optim\.ema_decay=1\.5: "):
        AdamW(ema_decay=1.5)

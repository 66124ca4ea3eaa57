import itertools
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from htr_lightning.charset import Charset
from htr_lightning.data.batch import Batch
from htr_lightning.model.crnn import CRNN
from htr_lightning.training.finite import NonFiniteLossError
from htr_lightning.training.losses import consistency_loss, ctc_loss
from htr_lightning.training.optim import AdamW
from htr_lightning.training.task import RecognitionTask

CHARSET = Charset(list("abc"))


def tiny() -> CRNN:
    return CRNN(4, channels=[8], blocks=[1], strides=[[2, 2]], stem_channels=4, rnn_size=8, rnn_layers=1)


def batch(*texts: str, width: int = 64, seed: int = 1) -> Batch:
    """Lines of noise, each ``width`` pixels wide, so ``width / 4`` frames."""
    noise = torch.Generator().manual_seed(len(texts))
    return Batch(
        images=torch.rand(len(texts), 1, 48, width, generator=noise),
        widths=torch.full((len(texts),), width),
        targets=torch.tensor([id for text in texts for id in CHARSET.encode(text)], dtype=torch.int64),
        target_lengths=torch.tensor([len(text) for text in texts]),
        ids=[f"line{number}" for number in range(len(texts))],
        texts=list(texts),
        seed=seed,
    )


class GivenBatches(lightning.LightningDataModule):
    """Gives the same batches to training, validation and test."""

    def __init__(self, *batches: Batch) -> None:
        super().__init__()
        self.batches = batches

    def train_dataloader(self) -> Any:
        return DataLoader(self.batches, batch_size=None)  # type: ignore[arg-type]

    val_dataloader = test_dataloader = train_dataloader

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch


class Outputs(lightning.Callback):
    """Keeps the loss that each training step returns, and the norm of the gradients after it."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.norms: list[float] = []

    def on_train_batch_end(self, trainer: Any, pl_module: nn.Module, outputs: Any, *_: Any) -> None:
        self.losses.append(float(outputs["loss"]))
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        self.norms.append(float(torch.nn.utils.get_total_norm(gradients)))


def trainer(*callbacks: lightning.Callback, **settings: Any) -> lightning.Trainer:
    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    options = {"accelerator": "cpu", "max_epochs": 1, "num_sanity_val_steps": 0, "limit_val_batches": 0, **settings}
    return lightning.Trainer(callbacks=list(callbacks), **dict.fromkeys(quiet, False), **options)


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
    with pytest.raises(NonFiniteLossError, match=r"loss is nan at step 0.*line0, line1.*optim\.lr"):
        task.training_step(batch("a", "b"), 0)


def test_lines_are_not_taken_for_views() -> None:
    task = RecognitionTask(tiny(), CHARSET, AdamW(), consistency_weight=0.2)
    with pytest.raises(ValueError, match=r"consistency_weight: the batch must have two views of each line, but has 1"):
        task.training_step(batch("a", "b"), 0)


@pytest.mark.parametrize(("auxiliary", "consistency"), [(0.0, 0.0), (0.3, 0.0), (2.0, 0.0), (0.3, 0.7)])
def test_the_total_loss_is_the_weighted_sum_of_its_parts(auxiliary: float, consistency: float) -> None:
    weights = {"auxiliary_weight": auxiliary, "consistency_weight": consistency}
    task = RecognitionTask(tiny(), CHARSET, AdamW(), **weights)
    task.log = lambda *_, **__: None  # type: ignore[method-assign]  # no trainer listens
    lines = batch("a", "bcb", "a", "bcb", seed=7)
    if consistency:
        half = batch("a", "bcb", seed=7)
        lines = half.with_views(lines.images, lines.widths)
    torch.manual_seed(99)  # dropout depends on the seed of the batch only
    total = task.training_step(lines, 0)
    torch.manual_seed(7)
    frames = task.model(lines.images)
    lengths, texts = torch.full((4,), 16), (lines.targets, lines.target_lengths)
    expected = ctc_loss(frames.logits, texts[0], lengths, texts[1])
    expected = expected + auxiliary * ctc_loss(frames.auxiliary, texts[0], lengths, texts[1])
    if consistency:
        expected = expected + consistency * consistency_loss(frames.logits, lengths, texts[1])
    torch.testing.assert_close(total, expected)


def test_by_default_a_tenth_of_the_auxiliary_loss_and_no_consistency() -> None:
    task = RecognitionTask(tiny(), CHARSET, AdamW())
    assert (task.auxiliary_weight, task.consistency_weight, task.num_steps, task.info) == (0.1, 0.0, None, {})


def test_a_training_epoch_logs_means_over_lines() -> None:
    # Four frames are enough for "abca", and one too few for "abba" with a blank between the repeated letters.
    batches = batch("a", width=16), batch("abca", "abba", "c", width=16)
    outputs = Outputs()
    task = RecognitionTask(tiny(), CHARSET, AdamW(), auxiliary_weight=0)
    run = trainer(outputs, max_epochs=1)
    run.fit(task, GivenBatches(*batches))
    scores = {name: float(value) for name, value in run.callback_metrics.items()}
    extra = {"train/fraction_too_narrow"}
    assert scores.keys() == {"train/loss", "train/loss_step", "train/loss_epoch", *extra}
    first, second = outputs.losses
    assert scores["train/loss_step"] == pytest.approx(second)
    assert scores["train/loss_epoch"] == pytest.approx((first + 3 * second) / 4)
    assert scores["train/fraction_too_narrow"] == pytest.approx(1 / 4)
    assert "train/loss_step" in run.progress_bar_metrics


@pytest.mark.parametrize("split", ["val", "test"])
def test_an_evaluation_logs_scores_of_all_lines_and_starts_afresh(split: str) -> None:
    batches = batch("abc"), batch("abc", "b", "c")
    task = RecognitionTask(tiny(), CHARSET, AdamW())
    predicted: list[Sequence[int]] = []

    def decode(logits: Any, lengths: Any) -> list[list[int]]:
        predicted.append(lengths.tolist())
        return [[1, 2]] * len(logits)

    task.decoder = decode
    run = trainer(limit_val_batches=1.0)
    evaluate = run.validate if split == "val" else run.test
    for _ in range(2):
        (scores,) = evaluate(task, GivenBatches(*batches), verbose=False)
        # "ab" for "abc", "abc", "b", "c": 1 + 1 + 1 + 2 edits of 8 characters.
        assert scores[f"{split}/cer"] == pytest.approx(5 / 8)
        assert scores[f"{split}/wer"] == 1
        task.eval()
        with torch.no_grad():
            losses = [
                ctc_loss(task.model(b.images).logits, b.targets, torch.full((len(b),), 16), b.target_lengths)
                for b in batches
            ]
        assert scores[f"{split}/loss"] == pytest.approx(float((losses[0] + 3 * losses[1]) / 4))
        assert list(run.progress_bar_metrics) == [f"{split}/cer"]
    assert predicted == [[16], [16, 16, 16]] * 2
    other = RecognitionTask(tiny(), CHARSET, AdamW())
    assert all(float(value) == 0 for value in (other.val_metrics.lines, other.test_metrics.lines))


def test_predicted_texts_have_no_spaces_around_them() -> None:
    task = RecognitionTask(tiny(), Charset(list("ab ")), AdamW())
    task.decoder = lambda logits, lengths: [[3, 1, 3, 2, 3], []]
    assert task.decode(torch.zeros(2, 5, 4), torch.tensor([20, 20])) == ["a b", ""]


def test_each_step_moves_the_schedule() -> None:
    optim = AdamW(lr=0.01, warmup=0, schedule="cosine")
    task = RecognitionTask(tiny(), CHARSET, optim, num_steps=4)
    run = trainer()
    run.fit(task, GivenBatches(batch("a"), batch("b", "c")))
    assert {group["lr"] for group in run.optimizers[0].param_groups} == {0.01 * optim.factor(2 / 4)}


def test_rates_of_parameters_reach_the_optimizer() -> None:
    model = tiny()
    rates = {name: 0.5 if name.startswith("head") else 1.0 for name, _ in model.named_parameters()}
    optimizer = RecognitionTask(model, CHARSET, AdamW(lr=0.01), rates=rates, num_steps=1).configure_optimizers()[
        "optimizer"
    ]
    halved = [p for group in optimizer.param_groups if group["initial_lr"] == 0.005 for p in group["params"]]
    assert {id(p) for p in halved} == {id(p) for p in model.head.parameters()}


@pytest.mark.parametrize("norm", [None, 1e-3])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_gradients_are_clipped_to_a_norm(norm: float | None, precision: str) -> None:
    outputs = Outputs()
    task = RecognitionTask(tiny(), CHARSET, AdamW())
    trainer(outputs, gradient_clip_val=norm, precision=precision).fit(task, GivenBatches(batch("a", "b")))
    assert outputs.norms == [pytest.approx(1e-3, rel=1e-2)] if norm else outputs.norms[0] > 0.01


def test_a_gradient_that_is_not_finite_names_the_lines() -> None:
    task = RecognitionTask(tiny(), CHARSET, AdamW())
    task.model.head.weight.register_hook(lambda gradient: gradient * math.inf)
    before = task.model.backbone.state_dict()
    with pytest.raises(NonFiniteLossError, match=r"gradient is not \(norm (nan|inf)\) at step 0.*line0, line1"):
        trainer().fit(task, GivenBatches(batch("a", "b")))
    assert all(torch.equal(value, before[name]) for name, value in task.model.backbone.state_dict().items())


def test_parameters_without_gradient_do_not_matter() -> None:
    task = RecognitionTask(tiny(), CHARSET, AdamW())
    task.model.auxiliary_head.requires_grad_(False)
    outputs = Outputs()
    trainer(outputs).fit(task, GivenBatches(batch("a", "b")))
    assert math.isfinite(outputs.losses[0])


OTHER_PROCESS = """
import sys
import torch.distributed

torch.distributed.init_process_group("gloo", init_method=sys.argv[1], rank=1, world_size=2)
for is_finite in (1.0, 0.0):
    torch.distributed.all_reduce(torch.tensor(is_finite), torch.distributed.ReduceOp.MIN)
torch.distributed.destroy_process_group()
"""


def test_a_loss_that_is_not_finite_in_one_process_stops_all_of_them(tmp_path: Path) -> None:
    meeting_point = (tmp_path / "store").as_uri()
    task = RecognitionTask(tiny(), CHARSET, AdamW())
    task.log = lambda *_, **__: None  # type: ignore[method-assign]
    with subprocess.Popen([sys.executable, "-c", OTHER_PROCESS, meeting_point]) as other:
        torch.distributed.init_process_group("gloo", init_method=meeting_point, rank=0, world_size=2)
        try:
            task.training_step(batch("a", "b"), 0)
            with pytest.raises(NonFiniteLossError):
                task.training_step(batch("a", "b"), 1)
        finally:
            other.kill()
            torch.distributed.destroy_process_group()


def test_a_checkpoint_holds_the_metadata_of_the_model() -> None:
    checkpoint: dict[str, Any] = {}
    RecognitionTask(tiny(), CHARSET, AdamW(), info={"height_px": 48}).on_save_checkpoint(checkpoint)
    assert checkpoint == {"htr_lightning": {"height_px": 48}}


def test_an_empty_text_is_a_text_of_blanks() -> None:
    scores = torch.tensor([[[2.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]])
    empty = torch.zeros(0, dtype=torch.int64)
    loss = ctc_loss(scores, empty, torch.tensor([2]), torch.tensor([0]))
    torch.testing.assert_close(loss, -scores[0].log_softmax(1)[:, 0].sum())


def test_no_feasible_line_has_no_loss() -> None:
    loss = ctc_loss(torch.zeros(1, 1, 4), torch.tensor([1, 2]), torch.tensor([1]), torch.tensor([2]))
    assert float(loss) == 0


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

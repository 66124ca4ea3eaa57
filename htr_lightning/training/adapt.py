"""Adaptation of a model to few lines of one writer or document, without validation lines to choose by."""

import functools
import itertools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from htr_lightning.charset import Charset
from htr_lightning.config.schema import ConfigError
from htr_lightning.data.module import LineDataModule
from htr_lightning.files import RunFolder
from htr_lightning.model.network import Network
from htr_lightning.training.stage import Finetune
from htr_lightning.training.task import RecognitionTask

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Adapt(Finetune):
    """Train a model further on few lines, with a fixed number of steps; then take the mean with the weights before.

    Nothing is chosen on validation lines, so that none are needed: the weights are those after the last step.
    Validation lines, where there are any, are read with the model before and after (``val/cer_base``, ``val/cer``).

    The mean of fine-tuned weights and those before (Wortsman et al. 2022, *Robust fine-tuning of zero-shot models*,
    arXiv 2109.01903) generalizes better than either from few lines, and reads other writing almost as well as before.
    Characters that the model did not know keep their fine-tuned weights.

    Args:
        num_steps: pairs of a number of training lines and the number of optimizer steps for it. Between two numbers of
            lines it is interpolated (both on a logarithmic scale); below the first and above the last it stays. With
            ``trainer.max_steps`` it is not used.
        interpolation: how far from the weights before to the fine-tuned ones the model is, above 0 and at most 1: 1
            takes the fine-tuned ones, 0.5 the mean.

    Raises:
        ConfigError: a setting is out of its range; names ``stage.<key>``.
    """

    num_steps: Sequence[Sequence[int]] = ((16, 200), (64, 400), (256, 800), (400, 1000))
    interpolation: float = 0.75

    def __post_init__(self) -> None:
        super().__post_init__()
        is_valid = all(
            len(pair) == 2 and all(isinstance(number, int) and number >= 1 for number in pair)
            for pair in self.num_steps
        )
        if not (is_valid and self.num_steps and len({pair[0] for pair in self.num_steps}) == len(self.num_steps)):
            remedy = "give pairs of a number of lines and a number of steps, such as [[16, 100], [256, 400]]"
            raise ConfigError("out of range", key="stage.num_steps", value=list(self.num_steps), remedy=remedy)
        if not 0 < self.interpolation <= 1:
            remedy = "give a number above 0 and at most 1"
            raise ConfigError("out of range", key="stage.interpolation", value=self.interpolation, remedy=remedy)

    def count_steps(self, num_lines: int) -> int:
        """Return the number of optimizer steps for a number of training lines."""
        known = sorted((lines, steps) for lines, steps in self.num_steps)
        if num_lines <= known[0][0]:
            return known[0][1]
        for (fewer, few_steps), (more, many_steps) in itertools.pairwise(known):
            if num_lines <= more:
                fraction = math.log(num_lines / fewer) / math.log(more / fewer)
                return round(few_steps * math.pow(many_steps / few_steps, fraction))
        return known[-1][1]

    def limit_trainer(
        self, make_trainer: Callable[..., lightning.Trainer], data: LineDataModule
    ) -> Callable[..., lightning.Trainer]:
        """Return a trainer's constructor with the number of steps, and without validation during training.

        Args:
            make_trainer: of the configuration.
            data: with its splits packed.
        """
        assert isinstance(make_trainer, functools.partial)
        given, num_lines = make_trainer.keywords.get("max_steps", -1), len(data.packed["train"])
        num_steps = given if given > 0 else self.count_steps(num_lines)
        log.info("%d training lines: %d optimizer steps", num_lines, num_steps)
        settings: dict[str, Any] = {"max_epochs": -1, "max_steps": num_steps, "num_sanity_val_steps": 0}
        if make_trainer.keywords.get("fast_dev_run"):
            settings = {}
        elif len(data.packed["val"]):  # an epoch has at least one step, so that none ends with a validation
            settings |= {"check_val_every_n_epoch": num_steps + 1, "val_check_interval": 1.0}
        if not len(data.packed["val"]):
            settings["limit_val_batches"] = 0
        return functools.partial(make_trainer, **settings)


class BaseWeights(Callback):
    """Keeps the weights of the model before training, also in checkpoints: its file may change while a run is stopped.

    Attributes:
        weights: by name, on the CPU.
        new_rows: class ids of the characters that the model did not know.

    Args:
        network: with the weights of the model, before training.
        new_rows: see above.
    """

    def __init__(self, network: Network, new_rows: Sequence[int]) -> None:
        self.weights = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
        self.new_rows = list(new_rows)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {"weights": self.weights, "new_rows": self.new_rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the weights of the run that is resumed."""
        self.weights, self.new_rows = state_dict["weights"], state_dict["new_rows"]

    def interpolate(self, network: Network, weight: float) -> dict[str, Tensor]:
        """Return the mean of the weights before and those of a network.

        Args:
            network: fine-tuned.
            weight: of the fine-tuned weights, 0 to 1.
        """
        mean: dict[str, Tensor] = {}
        for name, tuned in network.state_dict().items():
            base = self.weights[name].to(tuned.device)
            mean[name] = torch.lerp(base, tuned, weight) if tuned.is_floating_point() else tuned
            if any(name.startswith(f"{head}.") for head in network.heads):
                mean[name][self.new_rows] = tuned[self.new_rows]
        return mean


class StepLog(Callback):
    """Logs a line every few steps: a run without validation would say nothing until its end.

    Args:
        every: number of steps between two lines.
    """

    def __init__(self, every: int = 10) -> None:
        self.every = every

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log number of steps and loss."""
        if trainer.is_global_zero and (
            trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps
        ):
            loss = trainer.callback_metrics.get("train/loss_step", math.nan)
            log.info("step %d of %d: train loss %.3f", trainer.global_step, trainer.max_steps, loss)


def list_new_rows(charset: Charset, before: Charset) -> list[int]:
    """Return the class ids of the characters of a charset that another one lacks."""
    known = set(before.characters)
    return [number for number, character in enumerate(charset.characters, start=1) if character not in known]


def load_last_weights(task: lightning.LightningModule, folder: RunFolder) -> None:
    """Give a task the weights after the last step, or their moving average; a resumed run may have no step left."""
    if folder.last.is_file():  # not after a dry run (trainer=debug)
        state = torch.load(folder.last, map_location="cpu", weights_only=True)
        task.load_state_dict(state["state_dict"])


def load_adapted_weights(
    task: RecognitionTask,
    base: BaseWeights,
    weight: float,
    folder: RunFolder,
    measure_val: Callable[[], Mapping[str, float]] | None,
) -> dict[str, float]:
    """Give a task the mean of the weights before and after.

    Args:
        task: after the last step.
        base: the weights before.
        weight: of the weights after.
        folder: of the run.
        measure_val: returns the scores on val of the weights of the task; None without validation lines.

    Returns:
        ``val/cer_base``: the CER on val before, if there are validation lines.
    """
    load_last_weights(task, folder)
    adapted = base.interpolate(task.network, weight)
    scores = {}
    if measure_val is not None:
        task.model.load_state_dict(base.weights)
        scores["val/cer_base"] = measure_val()["val/cer"]
    task.model.load_state_dict(adapted)
    return scores

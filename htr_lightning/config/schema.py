"""The root keys of a configuration, and the resolvers that its values may name."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from htr_lightning.device import is_bf16_fast
from htr_lightning.errors import InputError


class ConfigError(InputError):
    """The configuration names something that does not exist, or lacks something required."""


RECOGNITION = "htr_lightning.training.recognition.Recognition"
"""The task of a configuration that names none, as those of earlier versions do."""
AUTO = "auto"
"""``resume=auto``: resume the run in the run folder, or start it."""


@dataclass
class Config:
    """The root keys of a run; those without a default are config groups, and so is ``logger``.

    Attributes:
        run_name: name of the run, in the name of its folder.
        seed: seed of everything that is random: weights, order of the lines, augmentation, dropout.
        resume: run folder to resume; ``auto`` resumes the run in ``runs/RUN_NAME`` or ``hydra.run.dir``, or starts it.
        early_stopping: stop after so many validations without a lower CER; null to train to the end.
        checkpoint_minutes: save a checkpoint after so many minutes within an epoch, too.
        compile: compile the CNN with TorchInductor.
        trial: set by sweeps: the trial to which the run belongs.
        auxiliary_weight: weight of the loss of the CTC head on the CNN; 0 for none.
        consistency_weight: weight of the consistency loss between two views of each line; 0 for one view.
        license: of the weights, for the model file.
        languages: ISO 639-1 codes of the languages in the training data, for the model file.
        attribution: whom to credit for the training data, for the model file.
        callbacks: callbacks of one's own, each under a name: ``+callbacks.mine._target_=my_module.MyCallback``.
        logger: loggers, each under a name; ``logger=tensorboard,csv,wandb,mlflow`` chooses several options.
        metrics: metrics of pairs of texts, each under the name by which it is logged.
        dataset: the data; ``dataset.direction`` is the base direction of its lines: ``ltr``, ``rtl``, or ``auto``,
            that of most letters of each line.
        task: what is trained: ``recognition``, a line recognizer, or ``find_lines``, a line finder.
    """

    run_name: str = "dev"
    seed: int = 1
    resume: str | None = None
    early_stopping: int | None = None
    checkpoint_minutes: float = 10.0
    compile: bool = False
    trial: str | None = None
    trust: list[str] = dataclasses.field(default_factory=list)
    auxiliary_weight: float = 0.1
    consistency_weight: float = 0.0
    license: str = ""
    languages: list[str] = dataclasses.field(default_factory=list)
    attribution: str = ""
    callbacks: dict[str, Any] = dataclasses.field(default_factory=dict)
    logger: dict[str, Any] = dataclasses.field(default_factory=dict)
    metrics: dict[str, Any] = dataclasses.field(default_factory=dict)
    task: Any = dataclasses.field(default_factory=lambda: {"_target_": RECOGNITION})
    dataset: Any = dataclasses.field(default_factory=lambda: {"direction": "auto"})
    preprocess: Any = MISSING
    loader: Any = MISSING
    augment: Any = MISSING
    model: Any = MISSING
    optim: Any = MISSING
    decoder: Any = MISSING
    trainer: Any = MISSING
    stage: Any = MISSING


def _run_folder(resume: str | None, run_name: str, new: str) -> str:
    """Return the folder of the run to resume; with ``auto`` ``runs/RUN_NAME``; otherwise a new one."""
    return new if resume is None else f"runs/{run_name}" if resume == AUTO else resume


def _fastest_precision(accelerator: str) -> str:
    """Return bf16-mixed if the device multiplies bf16 faster than fp32."""
    import torch

    gpu = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    device_type = "cuda" if gpu else "cpu" if accelerator in ("auto", "cpu") else accelerator
    return "bf16-mixed" if is_bf16_fast(device_type) else "32-true"


def _batch_pixels(accelerator: str) -> int:
    """Return a large batch size for a GPU; on a CPU small batches learn more per epoch and need less memory."""
    import torch

    return 4_000_000 if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available() else 300_000


def _ddp_strategy(freeze: Sequence[str], auxiliary_weight: float) -> str:
    """Return the DDP strategy that permits parameters without gradients, if there are any."""
    return "ddp_find_unused_parameters_true" if freeze or not auxiliary_weight else "ddp"


OmegaConf.register_new_resolver("ddp_strategy", _ddp_strategy, replace=True)
OmegaConf.register_new_resolver("run_folder", _run_folder, replace=True)
OmegaConf.register_new_resolver("fastest_precision", _fastest_precision, replace=True)
OmegaConf.register_new_resolver("batch_pixels", _batch_pixels, replace=True)
ConfigStore.instance().store(name="schema", node=Config, provider="htr_lightning")

"""What is checked before the lines are packed, and what can be checked only when they are."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import lightning
import torch
from hydra.errors import InstantiationException
from lightning.fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig

from htr_lightning.config.build import build
from htr_lightning.config.schema import ConfigError
from htr_lightning.errors import InputError
from htr_lightning.lm.zoo import find_language_models
from htr_lightning.model.network import describe_error
from htr_lightning.model.network_check import check_arguments, check_network
from htr_lightning.training.build import Parts
from htr_lightning.training.lightning_fixes import slurm_plugins
from htr_lightning.training.stage import reconcile_config

_NUM_CLASSES = 11  # of the network that is tried


def check_before_packing(cfg: DictConfig, parts: Parts, make_trainer: Callable[..., lightning.Trainer]) -> None:
    """Build what can be built without lines, so that a wrong setting is found before they are packed.

    Raises:
        ConfigError: the trainer, the network, the freezing schedule or a file of the decoder is not possible.
    """
    check_trainer(make_trainer)
    lm, lexicon = cfg.decoder.get("lm"), cfg.decoder.get("lexicon")
    files = [("lm", path) for path in find_language_models(lm, cfg.decoder.get("languages") or ())] if lm else []
    for key, path in [*files, *([("lexicon", Path(lexicon))] if lexicon else [])]:
        if not path.is_file():
            raise ConfigError("there is no such file", key=f"decoder.{key}", value=path, kind="missing")
    if parts.base is None:
        try_network(cfg, parts.preprocess.height_px)
    else:
        reconcile_config(parts.base, "model", cfg.model)
        parts.stage.build_freezing_schedule(parts.base.network)


def check_trainer(make_trainer: Callable[..., lightning.Trainer]) -> None:
    """Construct a trainer, and see whether its device can do what it is to do.

    Raises:
        ConfigError: Lightning refuses the settings.
    """
    try:
        trainer = make_trainer(
            logger=False, enable_checkpointing=False, enable_progress_bar=False, plugins=slurm_plugins()
        )
    except (MisconfigurationException, ValueError, TypeError, RuntimeError, ImportError) as error:
        raise ConfigError(f"trainer: {' '.join(str(error).split())}") from None
    is_strict = (
        torch.are_deterministic_algorithms_enabled() and not torch.is_deterministic_algorithms_warn_only_enabled()
    )
    if is_strict and trainer.strategy.root_device.type == "cuda":
        remedy = "set ++trainer.deterministic=warn"
        raise ConfigError("CTC has no deterministic gradient on GPUs", key="trainer.deterministic", remedy=remedy)


def try_network(cfg: DictConfig, height_px: int) -> None:
    """Build the network of the configuration, try it on blank lines, and build it again as from a model file.

    Args:
        cfg: validated.
        height_px: of the lines.

    Raises:
        NetworkError: it does not keep the protocol.
        ConfigError: its settings contradict each other, or its lines have another height.
    """
    try:
        with torch.random.fork_rng(devices=[]):  # the run's own weights stay the same
            network = build(cfg.model)(_NUM_CLASSES)
    except Exception as error:  # whatever a class raises
        cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
        if isinstance(cause, InputError):
            raise cause from None
        raise ConfigError(
            f"the network cannot be built ({describe_error(cause)})",
            key="model._target_",
            value=cfg.model.get("_target_"),
        ) from None
    check_network(network, _NUM_CLASSES)
    if network.height_px != height_px:
        raise ConfigError(
            f"the network takes lines of {network.height_px} px",
            key="preprocess.height_px",
            value=height_px,
            remedy=f"set preprocess.height_px={network.height_px}, or ++model.height_px if the network takes it",
        )
    check_arguments(network, _NUM_CLASSES)


def check_batch_limits(trainer: lightning.Trainer, sizes: Mapping[str, int]) -> None:
    """Refuse limits that leave no batch of a split, and an interval that is longer than an epoch.

    Args:
        trainer: of the run.
        sizes: number of batches of each split that is not empty.

    Raises:
        ConfigError: names the setting, and the value that would do.
    """
    for split, number in sizes.items():
        limit = getattr(trainer, f"limit_{split}_batches")
        if isinstance(limit, float) and 0 < limit < 1 and int(limit * number) == 0:
            raise ConfigError(
                f"leaves none of {number} batches",
                key=f"trainer.limit_{split}_batches",
                value=limit,
                remedy=f"give at least {math.ceil(1000 / number) / 1000:g}, or a number of batches",
            )
    limit = trainer.limit_train_batches
    number = min(sizes["train"], limit) if isinstance(limit, int) else int(sizes["train"] * limit)
    interval = trainer.val_check_interval
    if trainer.check_val_every_n_epoch is not None and isinstance(interval, int) and interval > number:
        raise ConfigError(
            f"an epoch has {number} batches",
            key="trainer.val_check_interval",
            value=interval,
            remedy="give fewer, or count over epochs with ++trainer.check_val_every_n_epoch=null",
        )

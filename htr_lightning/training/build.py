"""What a run and the doctor build from a configuration before they read a line."""

import inspect
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from hydra.utils import get_object
from numpy.typing import NDArray
from omegaconf import DictConfig

from htr_lightning.config.build import build, build_line_source
from htr_lightning.data.line import Source
from htr_lightning.doctor.facts import CountFrames, Settings
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.file import Model
from htr_lightning.model.network import Network, get_class_path
from htr_lightning.training.stage import Finetune, Pretrain, reconcile_config


@dataclass(frozen=True)
class Parts:
    """The parts of a run that come before its data module and its network.

    Attributes:
        stage: pretraining or fine-tuning.
        base: the model to start from; None for pretraining.
        source: the dataset.
        preprocess: that of the base, or of the configuration.
    """

    stage: Pretrain | Finetune
    base: Model | None
    source: Source
    preprocess: Preprocess


def build_parts(cfg: DictConfig, checkpoint: Path | None = None) -> Parts:
    """Build stage, base model, source and preprocessing.

    Args:
        cfg: validated.
        checkpoint: of the run to resume; None for a new run.

    Raises:
        ConfigError: the base model does not fit the configuration, or the dataset has no lines.
        ModelFileError: the base model cannot be read.
        hydra.errors.InstantiationException: a constructor refuses its arguments; ``__cause__`` says why.
    """
    stage = build(cfg.stage)
    base = stage.load(checkpoint, list_trusted(cfg))
    if base is None:
        preprocess = build(cfg.preprocess)
    else:  # the base's, with the limits that the configuration sets
        preprocess = Preprocess.from_dict(reconcile_config(base, "preprocess", cfg.preprocess))
    return Parts(stage, base, build_line_source(cfg), preprocess)


def list_trusted(cfg: DictConfig) -> list[str]:
    """Return the networks that a model to start from may name: those of ``--trust``, and that of the configuration."""
    target = get_object(cfg.model["_target_"])
    return [*cfg.trust, *([get_class_path(target)] if inspect.isclass(target) else [])]


def build_settings(cfg: DictConfig, parts: Parts) -> Settings:
    """Return what the doctor's findings depend on, the number of frames of each line included."""
    network = parts.base.network if parts.base else build(cfg.model)(2)
    settings = Settings.from_config(cfg.loader, parts.source, parts.preprocess, count_frames(network))
    if parts.base is None:
        return settings
    assert isinstance(parts.stage, Finetune)
    known = frozenset(parts.base.charset.characters if parts.stage.charset != "replace" else ())
    return replace(settings, normalization=parts.base.charset.normalization, known_characters=known)


def count_frames(network: Network) -> CountFrames:
    """Return the function of a network from widths ``(N,)`` in px to numbers of frames ``(N,)``."""

    def frames(widths: NDArray[np.int64]) -> NDArray[np.int64]:
        lengths: NDArray[np.int64] = network.frame_lengths(torch.from_numpy(widths)).numpy()
        return lengths

    return frames

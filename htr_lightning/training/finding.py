"""The task ``find_lines``: a network that finds the lines of pages is trained and measured."""

import inspect
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch
from hydra.utils import get_object
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig

from htr_lightning.config.build import build, build_dataset
from htr_lightning.config.schema import ConfigError
from htr_lightning.data.page_augment import PageAugment
from htr_lightning.data.page_module import PageDataModule
from htr_lightning.data.training_page import PageSource
from htr_lightning.files import RunFolder
from htr_lightning.image.page_pixels import PagePreprocess
from htr_lightning.model.finder_file import Finder, read_finder, write_finder
from htr_lightning.model.finder_info import FinderInfo
from htr_lightning.model.info import find_model
from htr_lightning.model.line_finder import LineFinder
from htr_lightning.segmentation.follower import LineFollower
from htr_lightning.training.callbacks import (
    build_common_callbacks,
    build_trainer,
    flatten_hyperparameters,
    load_best_weights,
    log_result,
    measure,
)
from htr_lightning.training.checks import check_batch_limits, check_trainer
from htr_lightning.training.extensions import Extensions, build_extensions, build_optim
from htr_lightning.training.finder_panel import FinderPanel
from htr_lightning.training.finder_task import FinderTask
from htr_lightning.training.freezing import Unfreeze
from htr_lightning.training.lightning_fixes import (
    count_training_steps,
    replace_overfit_batches,
)
from htr_lightning.training.monitored_score import MonitoredScore
from htr_lightning.training.provenance import git_state
from htr_lightning.training.run_description import RunDescription, log_final_scores
from htr_lightning.training.run_folder import write_results, write_start
from htr_lightning.training.stage import Finetune, Pretrain
from htr_lightning.training.throughput import Throughput

log = logging.getLogger(__name__)
_KINDS: dict[str, type] = {
    "dataset": PageSource,
    "loader": PageDataModule,
    "preprocess": PagePreprocess,
    "augment": PageAugment,
    "model": LineFinder,
    "decoder": LineFollower,
}
_OPTIONS = {
    "dataset": "pages",
    "loader": "pages",
    "preprocess": "page",
    "augment": "page",
    "model": "line_finder",
    "decoder": "follow_lines",
}
"""The option of each group that this task takes, and the class that it names."""


@dataclass(frozen=True)
class FindLines:
    """Trains a `LineFinder`, which finds the lines of pages."""

    monitor: ClassVar[MonitoredScore] = MonitoredScore(
        "val/f1", "max", {"val/f1": "F1", "val/precision": "precision", "val/recall": "recall"}
    )

    def train_and_measure(self, cfg: DictConfig, folder: RunFolder, checkpoint: Path | None) -> dict[str, float]:
        """See `htr_lightning.training.run.Task`."""
        check_options(cfg)
        make_trainer, overfit = replace_overfit_batches(build(cfg.trainer))
        check_trainer(make_trainer)
        optim, extensions = build_optim(cfg), build_extensions(cfg, folder.path)
        base = load_base(cfg, checkpoint)
        network, preprocess, follower = build_finder(cfg, base)
        freezing = build(cfg.stage).build_freezing_schedule(network)
        callbacks = build_callbacks(cfg, folder, extensions)
        data: PageDataModule = build(cfg.loader)(
            source=build_dataset(cfg), preprocess=preprocess, augment=build(cfg.augment), seed=cfg.seed, overfit=overfit
        )
        data.setup()
        info = describe_finder(cfg, network, preprocess, follower, data)
        if checkpoint:
            refuse_other_pages(folder, checkpoint, info)

        own, clip_norm = [*callbacks, Unfreeze(freezing)], getattr(optim, "clip_norm", None)
        trainer, best = build_trainer(make_trainer, cfg, folder, checkpoint, self.monitor, own, extensions, clip_norm)
        sizes = {"train": data.num_batches(trainer.world_size), "val": len(data.val_dataloader())}
        check_batch_limits(trainer, sizes | ({"test": len(data.pages["test"])} if data.pages["test"] else {}))
        steps = count_training_steps(trainer, data.num_batches(trainer.world_size))
        task = FinderTask(network, optim, follower, info=asdict(info), rates=freezing.compute_rates(), num_steps=steps)
        provenance = write_start(cfg, folder, {"train": data.fingerprint})
        log_start(cfg, data, network)
        if base is not None:
            freezing.log_table(getattr(optim, "lr", None) or 1.0)
        trainer.fit(task, data, ckpt_path=checkpoint, weights_only=True)

        load_best_weights(task, best, cfg)
        scores = measure(trainer, task, data, has_test=bool(data.pages["test"]))
        if trainer.is_global_zero:
            log_final_scores(trainer, scores)
            write_finder(folder.model, network.state_dict(), replace(info, scores=scores))
            counts = {f"pages/{split}": len(pages) for split, pages in data.pages.items()}
            write_results(folder, scores | counts, provenance)
        log_result(scores, ("f1", "precision", "recall"), folder)
        return scores


def check_options(cfg: DictConfig) -> None:
    """Refuse parts of another task, and settings that have no effect here.

    Raises:
        ConfigError: names the key.
    """
    for group, kind in _KINDS.items():
        target = get_object(cfg[group]["_target_"])
        is_kind = (
            hasattr(target, "pages") if group == "dataset" else inspect.isclass(target) and issubclass(target, kind)
        )
        if not is_kind:
            raise ConfigError(
                "this does not go with task=find_lines",
                key=f"{group}._target_",
                value=cfg[group]["_target_"],
                remedy=f"set {group}={_OPTIONS[group]}, or use +experiment=find_lines",
            )
    if get_object(cfg.stage["_target_"]) not in (Finetune, Pretrain):
        problem, remedy = "this does not go with task=find_lines", "set stage=pretrain or stage=finetune"
        raise ConfigError(problem, key="stage._target_", value=cfg.stage["_target_"], remedy=remedy)
    for key in ("consistency_weight", "compile", "metrics"):
        if cfg[key]:
            raise ConfigError("line finders have no such setting", key=key, value=cfg[key], remedy="leave it out")


def load_base(cfg: DictConfig, checkpoint: Path | None) -> Finder | None:
    """Return the line finder to start from; None for new weights.

    Raises:
        ModelFileError: it is missing or cannot be used.
    """
    stage = build(cfg.stage)
    if not isinstance(stage, Finetune):
        return None
    return read_finder(checkpoint or find_model(str(stage.start_from), is_finder=True))


def build_finder(cfg: DictConfig, base: Finder | None) -> tuple[LineFinder, PagePreprocess, LineFollower]:
    """Return the network with its preprocessing and follower; those of the base model, if there is one.

    Raises:
        ConfigError: the configuration contradicts the base model.
    """
    follower: LineFollower = build(cfg.decoder)
    if base is None:
        network: LineFinder = build(cfg.model)
        return network.to(memory_format=torch.channels_last), build(cfg.preprocess), follower
    for group, known in (("model", base.info.arguments), ("preprocess", base.info.build_preprocess().to_dict())):
        for name, value in cfg[group].items():
            if not str(name).startswith("_") and known.get(str(name)) != value:
                remedy = f"set {group}.{name}={known.get(str(name))}, or train new weights with +experiment=find_lines"
                key = f"{group}.{name}"
                raise ConfigError("not that of the model to start from", key=key, value=value, remedy=remedy)
    return base.network.train(), base.info.build_preprocess(), follower


def build_callbacks(cfg: DictConfig, folder: RunFolder, extensions: Extensions) -> list[Callback]:
    """Return the callbacks of a run; see `build_common_callbacks`."""
    names = ("f1", "precision", "recall")
    description = RunDescription(flatten_hyperparameters(cfg), names, graph=False)
    own: list[Callback] = [FinderPanel(), Throughput("crops")]
    return build_common_callbacks(cfg, folder, extensions, FindLines.monitor, own, description)


def describe_finder(
    cfg: DictConfig, network: LineFinder, preprocess: PagePreprocess, follower: LineFollower, data: PageDataModule
) -> FinderInfo:
    """Return the metadata of the model file, except for the scores."""
    return FinderInfo(
        arguments=dict(network.arguments),
        preprocess=preprocess.to_dict(),
        follower=asdict(follower),
        data=data.fingerprint,
        license=cfg.license,
        attribution=cfg.attribution,
        commit=git_state()[0],
    )


def refuse_other_pages(folder: RunFolder, checkpoint: Path, info: FinderInfo) -> None:
    """Refuse to resume a run with other training pages.

    Raises:
        ConfigError: they are not the same.
    """
    before = read_finder(checkpoint).info
    if before.data != info.data:
        raise ConfigError(
            f"resume: the training pages are not those of the run in {folder.path}; restore them, or start a new run"
        )


def log_start(cfg: DictConfig, data: PageDataModule, network: LineFinder) -> None:
    """Log the sizes of the data and of the network."""
    pages = " + ".join(f"{len(pages)} {split}" for split, pages in data.pages.items())
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    log.info(
        "%s: %s pages; %s: %.2f M parameters; precision %s",
        cfg.run_name,
        pages,
        type(network).__name__,
        millions,
        cfg.trainer.get("precision"),
    )

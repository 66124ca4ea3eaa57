"""The task ``recognition``: a line recognizer is trained and measured."""

import logging
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import lightning
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig

from htr_lightning.config.build import build
from htr_lightning.config.schema import ConfigError
from htr_lightning.data.augmentation import Augmentation, adapt_augmentation
from htr_lightning.data.line import get_source_name
from htr_lightning.data.module import LineDataModule
from htr_lightning.decode.decoder import Decoder
from htr_lightning.doctor.facts import Settings
from htr_lightning.doctor.quick import check_packed_lines, log_warnings, raise_for_errors
from htr_lightning.files import RunFolder
from htr_lightning.model.file import Model, write_model
from htr_lightning.model.info import ModelInfo
from htr_lightning.model.network import Network
from htr_lightning.progress import show_progress
from htr_lightning.training.adapt import Adapt, BaseWeights, StepLog, list_new_rows, load_adapted_weights
from htr_lightning.training.build import Parts, build_parts
from htr_lightning.training.calibration import calibrate
from htr_lightning.training.callbacks import (
    build_common_callbacks,
    build_trainer,
    flatten_hyperparameters,
    load_best_weights,
    log_result,
    measure,
)
from htr_lightning.training.checks import check_batch_limits, check_before_packing
from htr_lightning.training.compilation import MAX_SHAPES, can_compile, compile_network
from htr_lightning.training.extensions import Extensions, build_decoder_maker, build_extensions, build_optim
from htr_lightning.training.freezing import FreezingSchedule, Unfreeze
from htr_lightning.training.lightning_fixes import (
    count_training_steps,
    is_rank_zero,
    replace_overfit_batches,
)
from htr_lightning.training.metadata import describe_network
from htr_lightning.training.metrics import SCORE_NAMES
from htr_lightning.training.monitor import ErrorPanel, ValidationPanel
from htr_lightning.training.monitored_score import MonitoredScore
from htr_lightning.training.non_finite import NonFiniteReport
from htr_lightning.training.part_checks import check_parts
from htr_lightning.training.provenance import git_state
from htr_lightning.training.run_description import RunDescription, log_final_scores
from htr_lightning.training.run_folder import (
    refuse_other_data,
    write_results,
    write_start,
)
from htr_lightning.training.stage import Finetune, build_charset, reconcile_config, transfer_weights
from htr_lightning.training.task import RecognitionTask
from htr_lightning.training.throughput import Throughput

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recognition:
    """Trains a network that recognizes lines (`htr_lightning.model.network.Network`) with CTC."""

    monitor: ClassVar[MonitoredScore] = MonitoredScore("val/cer", "min", {"val/cer": "CER", "val/wer": "WER"})

    def train_and_measure(self, cfg: DictConfig, folder: RunFolder, checkpoint: Path | None) -> dict[str, float]:
        """See `htr_lightning.training.run.Task`."""
        return train_and_measure(cfg, folder, checkpoint)


def train_and_measure(cfg: DictConfig, folder: RunFolder, checkpoint: Path | None) -> dict[str, float]:
    """Do the work of `run`, from a checkpoint if there is one."""
    make_trainer, overfit = replace_overfit_batches(build(cfg.trainer))
    parts, optim = build_parts(cfg, checkpoint), build_optim(cfg)
    extensions, augment = build_extensions(cfg, folder.path), adapt_augmentation(build(cfg.augment))
    check_before_packing(cfg, parts, make_trainer)
    check_parts(cfg, parts, augment, optim, extensions)
    callbacks = build_callbacks(cfg, folder, extensions)
    compiles = cfg.compile and can_compile(cfg.trainer.get("accelerator", "auto"))
    data = prepare_data(cfg, parts, augment, overfit=overfit, compiles=compiles)
    model, freezing = build_model(cfg, parts, data)
    check_data(cfg, data)
    data.drop_infeasible(model.frame_lengths)
    decoder = build_decoder(cfg, data)
    info = describe_model(cfg, model, data, parts.base)
    if checkpoint:
        refuse_other_data(folder, checkpoint, info)

    assert data.charset is not None
    own, clip_norm, base_weights = [*callbacks, Unfreeze(freezing)], getattr(optim, "clip_norm", None), None
    if isinstance(parts.stage, Adapt) and parts.base:
        base_weights = BaseWeights(model, list_new_rows(data.charset, parts.base.charset))
        own += [base_weights, StepLog()]
        make_trainer = parts.stage.limit_trainer(make_trainer, data)
    keep_best, monitor = base_weights is None, Recognition.monitor
    trainer, best = build_trainer(
        make_trainer, cfg, folder, checkpoint, monitor, own, extensions, clip_norm, keep_best=keep_best
    )
    task = RecognitionTask(
        model,
        data.charset,
        optim,
        auxiliary_weight=cfg.auxiliary_weight,
        consistency_weight=cfg.consistency_weight,
        info=asdict(info),
        rates=freezing.compute_rates(),
        num_steps=count_training_steps(trainer, data.num_batches(trainer.world_size)),
        metrics=extensions.metrics,
    )
    check_batch_limits(trainer, count_batches(trainer, data))
    provenance = write_start(cfg, folder, {split: packed.fingerprint for split, packed in data.packed.items()})
    log_start(cfg, data, model)
    if parts.base:
        freezing.log_table(getattr(optim, "lr", None) or 1.0)
    if compiles:
        compile_network(model)
    trainer.fit(task, data, ckpt_path=checkpoint, weights_only=True)

    task.decoder = decoder
    has_val, has_test = bool(len(data.packed["val"])), bool(len(data.packed["test"]))
    scores: dict[str, float] = {}
    if base_weights is None:
        load_best_weights(task, best, cfg)
    else:
        before = partial(measure, trainer, task, data, has_test=False) if has_val else None
        assert isinstance(parts.stage, Adapt)
        scores = load_adapted_weights(task, base_weights, parts.stage.interpolation, folder, before)
    scores |= measure(trainer, task, data, has_val=has_val, has_test=has_test)
    if trainer.is_global_zero:
        log_final_scores(trainer, scores)
        info = calibrate(replace(info, scores=scores), model, data)
        counts = {f"lines/{split}": len(packed) for split, packed in data.packed.items()}
        write_model(folder.model, model.state_dict(), info)
        write_results(folder, info.scores | counts, provenance)
    log_result(scores, ("cer", "wer"), folder)
    return scores


def prepare_data(
    cfg: DictConfig, parts: Parts, augment: Augmentation, *, overfit: bool, compiles: bool
) -> LineDataModule:
    """Return the data module with its splits packed.

    Args:
        cfg: of the run.
        parts: of the run.
        augment: of the run.
        overfit: train and validate on the same batches, without augmentation.
        compiles: whether the network is compiled, which takes few different widths.
    """
    data: LineDataModule = build(cfg.loader)(
        source=parts.source,
        preprocess=parts.preprocess,
        augment=augment,
        seed=cfg.seed,
        num_views=2 if cfg.consistency_weight else 1,
        direction=cfg.dataset.get("direction", "auto"),
        overfit=overfit,
        needs_val=not isinstance(parts.stage, Adapt),
        progress=show_progress,
    )
    if compiles and data.max_shapes is None:
        data.max_shapes = MAX_SHAPES
        log.info("compile: batches have at most %d widths (loader.max_shapes) before augmentation", MAX_SHAPES)
    data.setup()
    return data


def build_model(cfg: DictConfig, parts: Parts, data: LineDataModule) -> tuple[Network, FreezingSchedule]:
    """Return the network, new or with the weights of the base model, and its freezing schedule.

    Raises:
        ConfigError: the base model is not what the configuration describes, or does not fit the texts.
    """
    assert data.charset is not None
    if parts.base is None:
        model: Network = build(cfg.model)(data.charset.num_classes)
        return model, parts.stage.build_freezing_schedule(model)
    assert isinstance(parts.stage, Finetune)
    arguments = reconcile_config(parts.base, "model", cfg.model)
    texts = data.packed["train"].column("text")
    data.charset = build_charset(parts.base, parts.stage.charset, texts, data.direction)
    model, charset_diff = transfer_weights(parts.base, arguments, data.charset)
    charset_diff.log()
    return model, parts.stage.build_freezing_schedule(model)


def build_decoder(cfg: DictConfig, data: LineDataModule) -> Decoder:
    """Return the decoder for the final evaluation.

    Raises:
        ConfigError: the language model cannot be used, or a value is out of its range.
    """
    try:
        decoder: Decoder = build_decoder_maker(cfg)(data.charset)
    except ValueError as error:
        raise ConfigError(f"decoder: {error}") from None
    return decoder


def check_data(cfg: DictConfig, data: LineDataModule) -> None:
    """Log a warning for each problem that the doctor finds in the packed lines.

    Raises:
        DataError: a problem makes the scores meaningless.
    """
    assert data.charset is not None
    settings = Settings.from_config(cfg.loader, data.source, data.preprocess)
    findings = check_packed_lines(data.packed, data.charset, settings)
    raise_for_errors(findings)
    if is_rank_zero():
        log_warnings(findings)


def log_start(cfg: DictConfig, data: LineDataModule, model: Network) -> None:
    """Log the sizes of the data and of the network."""
    assert data.charset is not None
    lines = " + ".join(f"{len(packed)} {split}" for split, packed in data.packed.items())
    log.info(
        "%s: %s lines, %d characters; %s: %.2f M parameters; precision %s",
        cfg.run_name,
        lines,
        len(data.charset),
        type(model).__name__,
        sum(p.numel() for p in model.parameters()) / 1e6,
        cfg.trainer.get("precision"),
    )


def build_callbacks(cfg: DictConfig, folder: RunFolder, extensions: Extensions) -> list[Callback]:
    """Return the callbacks of a run, without those that save checkpoints and those of the configuration.

    Raises:
        ConfigError: a callback of the configuration would overwrite the state of one of them.
    """
    own = [ValidationPanel(), ErrorPanel(), Throughput(), NonFiniteReport(folder)]
    description = RunDescription(flatten_hyperparameters(cfg), (*SCORE_NAMES, "loss", *extensions.metrics))
    return build_common_callbacks(cfg, folder, extensions, Recognition.monitor, own, description)


def count_batches(trainer: lightning.Trainer, data: LineDataModule) -> dict[str, int]:
    """Return the number of batches of each split that is not empty."""
    sizes = {"train": data.num_batches(trainer.world_size)}
    if len(data.packed["val"]):
        sizes["val"] = len(data.val_dataloader())
    if len(data.packed["test"]):
        sizes["test"] = len(data.test_dataloader())
    return sizes


def describe_model(cfg: DictConfig, model: Network, data: LineDataModule, base: Model | None = None) -> ModelInfo:
    """Return the metadata of the model file, except for the scores.

    License, languages and attribution that the configuration leaves empty are those of the base model, whose training
    data still count; so are the temperature and the language model, until validation lines give others.
    """
    assert data.charset is not None
    known = base.info if base else None
    return replace(
        describe_network(model, data.charset, data),
        data={"name": get_source_name(data.source), "train": data.packed["train"].fingerprint},
        license=cfg.license or (known.license if known else ""),
        languages=list(cfg.languages or (known.languages if known else ())),
        attribution=cfg.attribution or (known.attribution if known else ""),
        lm=known.lm if known else "",
        temperature=known.temperature if known else 1.0,
        commit=git_state()[0],
    )

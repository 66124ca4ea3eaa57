"""One experiment, from its configuration to its result."""

import itertools
import logging
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import lightning
import torch
from hydra.utils import instantiate
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    LearningRateMonitor,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from htr_lightning.config.schema import ConfigError
from htr_lightning.data.module import LineDataModule
from htr_lightning.decode.confidence import CalibrationBatch, Calibrator
from htr_lightning.decode.decoder import Decoder
from htr_lightning.device import enlarge_onednn_cache
from htr_lightning.doctor.facts import Settings
from htr_lightning.doctor.quick import log_warnings, quick_findings, refuse_faults
from htr_lightning.image.ink import to_ink
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.file import Model
from htr_lightning.model.info import ModelInfo
from htr_lightning.progress import show_progress
from htr_lightning.training import run_folder as folder
from htr_lightning.training.compilation import MAX_SHAPES, compile_backbone, compiler_works
from htr_lightning.training.exits import LostProcess
from htr_lightning.training.freezing import FreezingSchedule, Unfreeze
from htr_lightning.training.monitor import ErrorPanel, ProgressBar, ValidationLog, ValidationPanel
from htr_lightning.training.non_finite import NonFiniteReport
from htr_lightning.training.provenance import git_state
from htr_lightning.training.resume import AtomicCheckpointIO, BestCheckpoint, ResumeCheckpoint
from htr_lightning.training.stage import Finetune, Pretrain, carry_over, charset_for, preprocess_of, reconcile_config
from htr_lightning.training.task import RecognitionTask
from htr_lightning.training.throughput import Throughput

CALIBRATION_LINES = 2000

log = logging.getLogger(__name__)


def run(cfg: DictConfig, path: Path) -> dict[str, float]:
    """Train, choose the best weights on val, measure them on test, write the model file.

    Args:
        cfg: validated; see `htr_lightning.config.validate`.
        path: the run folder; with ``cfg.resume``, the one that the run goes on in.

    Returns:
        The scores, as written to ``result.json``.

    Raises:
        ConfigError, DataError: something the run needs is missing; nothing was trained.
        PreemptedError, CheckpointWriteError, NonFiniteLossError: it stopped in the middle; see `ResumeCheckpoint`.
    """
    enlarge_onednn_cache()
    checkpoint = folder.claim(path, cfg.resume)
    lightning.seed_everything(cfg.seed, workers=True, verbose=False)

    optim, make_trainer, stage = build(cfg.optim), build(cfg.trainer), build(cfg.stage)
    base = stage.load(checkpoint)
    data = build(cfg.loader)(
        source=build(cfg.dataset),
        preprocess=preprocess_of(base, cfg.preprocess) if base else build(cfg.preprocess),
        augment=build(cfg.augment),
        seed=cfg.seed,
        num_views=2 if cfg.consistency_weight else 1,
        progress=show_progress,
    )
    compiles = cfg.compile and compiler_works(cfg.trainer.get("accelerator", "auto"))
    if compiles and data.max_shapes is None:
        data.max_shapes = MAX_SHAPES
        log.info("compile: batches have at most %d widths (loader.max_shapes) before augmentation", MAX_SHAPES)
    data.setup()
    model, freezing = begin(cfg, stage, base, data)
    look_at(cfg, data)
    data.drop_infeasible(model.frame_lengths)
    decoder = decoder_for(cfg, data)
    info = describe_model(cfg, model, data)
    if checkpoint:
        folder.refuse_other_data(path, checkpoint, info)
    checkpoints = path / "checkpoints"
    writer, best = AtomicCheckpointIO(), BestCheckpoint(checkpoints)
    last = ResumeCheckpoint(checkpoints, cfg.checkpoint_minutes, writer, checkpoint)
    tensorboard = TensorBoardLogger(path, "tensorboard", version="")
    trainer = make_trainer(
        default_root_dir=path,
        callbacks=[*callbacks(cfg, path), Unfreeze(freezing), best, last],
        logger=[tensorboard, CSVLogger(path, "csv")],
        gradient_clip_val=optim.clip_norm,
        use_distributed_sampler=False,
    )
    trainer.strategy.checkpoint_io = writer
    environment = trainer._accelerator_connector.cluster_environment
    if isinstance(environment, SLURMEnvironment):  # or it would go on from checkpoints of its own, also to measure
        environment.auto_requeue = False
    task = RecognitionTask(
        model,
        data.charset,
        optim,
        auxiliary_weight=cfg.auxiliary_weight,
        consistency_weight=cfg.consistency_weight,
        info=asdict(info),
        rates=freezing.rates(),
        num_steps=steps_of(trainer, data.num_batches(trainer.world_size)),
    )
    provenance = folder.start(cfg, path, data)
    announce(cfg, data, model)
    if base:
        freezing.log_table(cfg.optim.lr)
    if compiles:
        compile_backbone(model)
    trainer.fit(task, data, ckpt_path=checkpoint, weights_only=True)

    if best.best_model_path:  # empty in a dry run (trainer=debug)
        state = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
        task.load_state_dict(state["state_dict"])
    task.decoder = decoder
    scores = measure(trainer, task, data)
    if trainer.is_global_zero:
        tensorboard.log_hyperparams(hyperparameters(cfg), {f"final/{name}": value for name, value in scores.items()})
        info = replace(info, scores=scores, temperature=temperature_on_val(model, data))
        folder.finish(path, model, info, data, provenance)
    shown = ", ".join(f"{name} {100 * value:.2f} %" for name, value in scores.items() if name.endswith(("cer", "wer")))
    log.info("Done: %s. The model: %s", shown, path / "model.safetensors")
    return scores


def build(node: Any) -> Any:
    """Make the object that a config node describes; lists and mappings reach it as plain Python."""
    return instantiate(node, _convert_="all")


def begin(
    cfg: DictConfig, stage: Pretrain | Finetune, base: Model | None, data: LineDataModule
) -> tuple[CRNN, FreezingSchedule]:
    """Make the network, from nothing or from a trained one, and say which of its weights move when.

    Raises:
        ConfigError: the model to start from is not what the configuration describes, or does not fit the texts.
    """
    assert data.charset is not None
    if base is None:
        model: CRNN = build(cfg.model)(data.charset.num_classes)
        return model, stage.freezing(model)
    assert isinstance(stage, Finetune)
    arguments = reconcile_config(base, "model", cfg.model)
    data.charset = charset_for(base, stage.charset, list(data.packed["train"].column("text")))
    model, carried = carry_over(base, arguments, data.charset)
    carried.log()
    return model, stage.freezing(model)


def steps_of(trainer: lightning.Trainer, num_batches: int) -> int:
    """Return how many steps a trainer means to take, where each process has so many batches of an epoch.

    Lightning's own estimate makes the loader before it knows where a run goes on, and so the wrong batches.
    """
    limit = trainer.limit_train_batches
    num_batches = min(num_batches, limit) if isinstance(limit, int) else int(num_batches * limit)
    num_steps = (trainer.max_epochs or 0) * math.ceil(num_batches / trainer.accumulate_grad_batches)
    limits = [number for number in (num_steps, trainer.max_steps) if number > 0]
    return min(limits, default=1)


def decoder_for(cfg: DictConfig, data: LineDataModule) -> Decoder:
    """Return what the trained model is measured with.

    Raises:
        ConfigError: the language model cannot be used, or a value is out of its range.
    """
    try:
        decoder: Decoder = build(cfg.decoder)(data.charset)
    except ValueError as error:
        raise ConfigError(f"decoder: {error}") from None
    return decoder


def look_at(cfg: DictConfig, data: LineDataModule) -> None:
    """Log what can be seen to be wrong with the lines, in a sentence each.

    Raises:
        DataError: it is so wrong that the scores would mean nothing.
    """
    assert data.charset is not None
    settings = Settings.of(cfg.loader, data.source, data.preprocess)
    findings = quick_findings(data.packed, data.charset, settings)
    refuse_faults(findings)
    if getattr(rank_zero_only, "rank", 0) == 0:
        log_warnings(findings)


def announce(cfg: DictConfig, data: LineDataModule, model: CRNN) -> None:
    """Log what is about to be trained on what."""
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


def callbacks(cfg: DictConfig, path: Path) -> list[Callback]:
    """Return what watches the run, besides the checkpoints."""
    made: list[Callback] = [ValidationLog(), ValidationPanel(), ErrorPanel(), Throughput(), NonFiniteReport(path)]
    made += [LearningRateMonitor("step"), LostProcess(path, cfg)]
    if cfg.trial is not None:
        from htr_lightning.training.pruning import Report, load_trial

        made.append(Report(load_trial(cfg.trial)))
    if cfg.trainer.get("enable_progress_bar", True):
        made.append(ProgressBar())
    if cfg.early_stopping is not None:
        made.append(EarlyStopping("val/cer", patience=cfg.early_stopping))
    if cfg.optim.get("ema_decay") is not None:
        made.append(EMAWeightAveraging(decay=cfg.optim.ema_decay))
    return made


def measure(trainer: lightning.Trainer, task: RecognitionTask, data: LineDataModule) -> dict[str, float]:
    """Return the scores of the task's weights on val, and on test where there is one."""
    # The callback would put its own average, that of the last step, in the place of the weights to measure.
    trainer.callbacks = [c for c in trainer.callbacks if not isinstance(c, EMAWeightAveraging)]  # type: ignore[attr-defined]
    scores = dict(trainer.validate(task, data, verbose=False)[0])
    if len(data.packed["test"]):
        scores |= trainer.test(task, data, verbose=False)[0]
    return {name: float(value) for name, value in scores.items() if "/" in name and math.isfinite(value)}


def temperature_on_val(model: CRNN, data: LineDataModule) -> float:
    """Return the temperature at which the model is as sure of val's lines as it is right."""
    assert data.charset is not None
    loader = data.val_dataloader()
    every = -(-len(data.packed["val"]) // CALIBRATION_LINES)
    device = next(model.parameters()).device
    observed: list[CalibrationBatch] = []
    model.eval()
    with torch.inference_mode():
        for batch in itertools.islice(loader, 0, None, every):
            logits = model(to_ink(batch.images.to(device))).logits.float().cpu().numpy()
            observed.append(CalibrationBatch(logits, model.frame_lengths(batch.widths).numpy(), batch.texts))
    return Calibrator(observed, data.charset).fit_temperature()


def hyperparameters(cfg: DictConfig) -> dict[str, Any]:
    """Return the configuration as TensorBoard takes it, without the constructors' names."""
    return {
        key: value if isinstance(value, bool | int | float) else str(value)
        for key, value in folder.flat(cfg).items()
        if not key.rpartition(".")[2].startswith("_")
    }


def describe_model(cfg: DictConfig, model: CRNN, data: LineDataModule) -> ModelInfo:
    """Return what the model file will say, but for the scores."""
    assert data.charset is not None
    return ModelInfo(
        architecture=type(model).__name__,
        arguments=model.arguments,
        charset=data.charset.to_dict(),
        preprocess=data.preprocess.to_dict(),
        width_step_px=data.width_step_px,
        data={"name": type(data.source).__name__, "train": data.packed["train"].fingerprint},
        license=cfg.license,
        languages=list(cfg.languages),
        attribution=cfg.attribution,
        commit=git_state()[0],
    )

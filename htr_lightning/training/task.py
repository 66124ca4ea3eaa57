"""The LightningModule: loss, training and evaluation steps, optimizer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

import lightning
import torch
from torch import Tensor, nn

from htr_lightning.charset import Charset
from htr_lightning.data.batch import Batch, count_required_frames
from htr_lightning.data.module import LineDataModule
from htr_lightning.decode.decoder import Decoder
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.directions.bidi import StatedDirection
from htr_lightning.errors import InputError
from htr_lightning.image.ink import to_ink
from htr_lightning.model.info import METADATA_KEY
from htr_lightning.model.network import Frames, Network
from htr_lightning.training.finite import build_non_finite_error, compute_gradient_norm, is_finite_in_all_processes
from htr_lightning.training.lightning_fixes import allow_clipping_in_bf16
from htr_lightning.training.line_prediction import LinePrediction, predict_lines
from htr_lightning.training.losses import consistency_loss, ctc_loss
from htr_lightning.training.metadata import describe_network, load_task_arguments
from htr_lightning.training.metrics import RecognitionMetrics
from htr_lightning.training.optim import AdamW, Optim, Optimizer, set_lr
from htr_lightning.training.own_metrics import OwnMetrics


class RecognitionTask(lightning.LightningModule):
    """Trains and evaluates a line recognizer with CTC (Graves et al. 2006).

    By hand, in a notebook::

        data = LineDataModule(Lines("my_lines"), Preprocess(height_px=48), Augment())
        data.setup()
        task = RecognitionTask(CRNN(data.charset.num_classes), data.charset, AdamW(lr=3e-3))
        trainer = lightning.Trainer(max_epochs=10, gradient_clip_val=5.0)
        trainer.fit(task, data)
        trainer.predict(task, data)[0][0].text
        path = trainer.checkpoint_callback.best_model_path
        RecognitionTask.load_from_checkpoint(path)  # or htr_lightning.load(path)

    Attributes:
        decoder: turns logits into class ids; greedy during training, that of the configuration in the final evaluation.

    Args:
        model: a network whose classes are those of the charset.
        charset: the mapping between characters and class ids.
        optim: optimizer and schedule: `AdamW`, `Optimizer`, an `Optim` of one's own, or a ``functools.partial`` of an
            optimizer of torch.
        auxiliary_weight: weight of the auxiliary head's loss; 0 ignores the head.
        consistency_weight: weight of `consistency_loss` between two views of each line; a training batch then holds all
            lines twice. 0 for one view and no such loss.
        info: model metadata, saved in every checkpoint; plain JSON types. None to describe the model and the
            `LineDataModule` that it is trained with.
        rates: learning rate of each parameter as a fraction of the optimizer's; None for 1.
        num_steps: number of optimizer steps of the whole run, for the schedule (see `count_training_steps`); None to
            ask the trainer.
        metrics: measured on val and test beside our own, and logged as ``val/NAME`` and ``test/NAME``: objects with
            ``update(predictions, references)`` (two lists of texts), ``compute()`` (a number, or a mapping of numbers,
            then logged as ``NAME_KEY``) and ``reset()``, such as those of torchmetrics. In a configuration:
            ``+metrics.NAME._target_=torchmetrics.text.EditDistance``.
    """

    def __init__(
        self,
        model: Network,
        charset: Charset,
        optim: Optim | Callable[..., torch.optim.Optimizer],
        *,
        auxiliary_weight: float = 0.1,
        consistency_weight: float = 0.0,
        info: dict[str, Any] | None = None,
        rates: dict[str, float] | None = None,
        num_steps: int | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.rates, self.num_steps = rates, num_steps
        self.info = info or {}
        self.model, self.charset = cast(nn.Module, model), charset
        self.optim: Any = optim if hasattr(optim, "build") else Optimizer(make=cast(Any, optim))
        self.auxiliary_weight, self.consistency_weight = auxiliary_weight, consistency_weight
        self.decoder: Decoder = greedy_decode
        self.val_metrics = RecognitionMetrics(charset)
        self.test_metrics = RecognitionMetrics(charset)
        self.own_metrics = OwnMetrics(metrics or {})
        weights = {"auxiliary_weight": auxiliary_weight, "consistency_weight": consistency_weight}
        self.save_hyperparameters(weights, logger=False)  # the run logs its whole configuration

    @property
    def lr(self) -> float | None:
        """The learning rate of the optimizer, which Lightning's learning rate finder sets."""
        return getattr(self.optim, "lr", None)

    @lr.setter
    def lr(self, value: float) -> None:
        self.optim = set_lr(self.optim, value)

    @property
    def backbone(self) -> nn.Module:
        """The part of the network below its head, for Lightning's ``BackboneFinetuning``."""
        if not isinstance(getattr(self.model, "backbone", None), nn.Module):
            raise AttributeError(f"{type(self.model).__name__} has no module backbone")
        return cast(nn.Module, self.model.backbone)

    @property
    def network(self) -> Network:
        """The network, typed."""
        return cast(Network, self.model)

    def setup(self, stage: str) -> None:
        """Refuse lines of another height than the network takes.

        Raises:
            InputError: names both heights.
        """
        preprocess = getattr(getattr(self.trainer, "datamodule", None), "preprocess", None)
        height_px = getattr(preprocess, "height_px", self.network.height_px)
        if height_px != self.network.height_px:
            raise InputError(
                f"{type(self.model).__name__} takes lines of {self.network.height_px} px",
                key="height_px",
                value=height_px,
                remedy=f"give the data module Preprocess(height_px={self.network.height_px})",
            )

    def forward(self, images: Tensor) -> Frames:
        """Return the frames of images ``(N, 1, H, W)``: uint8 with paper 255, or float with ink 1 and paper 0."""
        if images.dtype == torch.uint8:  # of a loader that is used without its data module
            images = to_ink(images)
        return self.network(images.to(next(self.model.parameters()).dtype))  # such as bf16 in the precision bf16-true

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch.

        Raises:
            NonFiniteLossError: the loss is NaN or infinite.
        """
        # Dropout depends on the seed of the batch, so that a resumed run takes the same steps.
        torch.manual_seed(batch.seed)
        frames = self(batch.images)
        loss = self._loss(frames.logits, batch)
        total = loss
        if frames.auxiliary is not None:
            auxiliary = self._loss(frames.auxiliary, batch)
            total = total + self.auxiliary_weight * auxiliary
        if self.consistency_weight:
            if batch.num_views != 2:
                raise ValueError(
                    f"consistency_weight: the batch must have two views of each line, but has {batch.num_views}"
                )
            lengths = self.network.frame_lengths(batch.widths)
            consistency = consistency_loss(frames.logits, lengths, batch.target_lengths)
            total = total + self.consistency_weight * consistency
            self.log("train/consistency", consistency, batch_size=len(batch), on_epoch=True, sync_dist=True)
        self._ids = batch.ids
        if not is_finite_in_all_processes(total):
            problem = f"the loss is {total.item()}"
            raise build_non_finite_error(problem, self.global_step, self.current_epoch, self._ids)
        self._log_infeasible(batch)
        if frames.auxiliary is not None and self.auxiliary_weight:
            self.log("train/auxiliary", auxiliary, batch_size=len(batch), on_epoch=True, sync_dist=True)
        self.log("train/loss", loss, batch_size=len(batch), prog_bar=True, on_step=True, on_epoch=True, sync_dist=True)
        return total

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Refuse gradients that are NaN or infinite before they reach the weights, and clip their norm.

        Raises:
            NonFiniteLossError: a gradient is NaN or infinite, in any process: they share gradients.
        """
        has_scaler = getattr(self.trainer.precision_plugin, "scaler", None) is not None  # it skips such steps itself
        norm = compute_gradient_norm(optimizer)
        if not (has_scaler or bool(torch.isfinite(norm))):
            problem = f"the loss is finite, but its gradient is not (norm {norm.item()})"
            raise build_non_finite_error(problem, self.global_step, self.current_epoch, self._ids)
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and (self.global_step + 1) % every == 0:  # only then a logger writes it
            self.log("train/gradient_norm", norm)
        self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, list[str]]:
        """Predict the texts of a batch and count the errors; the hypotheses go to the callbacks."""
        return self._evaluate(batch, "val", self.val_metrics)

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, list[str]]:
        """Predict the texts of a batch and count the errors; the hypotheses go to the callbacks."""
        return self._evaluate(batch, "test", self.test_metrics)

    def on_validation_epoch_end(self) -> None:
        """Log ``val/cer`` and the other scores of all lines."""
        self._log_scores("val", self.val_metrics)

    def on_test_epoch_end(self) -> None:
        """Log ``test/cer`` and the other scores of all lines."""
        self._log_scores("test", self.test_metrics)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save charset, architecture and preprocessing with the weights: a checkpoint is self-contained."""
        if info := self.info or self._describe_model():
            checkpoint[METADATA_KEY] = info

    def _describe_model(self) -> dict[str, Any]:
        """Return the metadata of a model that is trained by hand; empty where its preprocessing is not known."""
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, LineDataModule):
            return {}
        return asdict(describe_network(cast(Network, self.model), self.charset, data))

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, **kwargs: Any) -> "RecognitionTask":
        """Load a task from a checkpoint, in evaluation mode on the CPU.

        Args:
            checkpoint_path: written in training by a run or by hand; a run folder or a model file will do, too.
            args: as Lightning's method takes them.
            kwargs: arguments of the constructor to replace, such as ``optim``, which checkpoints do not hold; ``trust``
                as `htr_lightning.load` takes it. With ``model`` and ``charset``, Lightning's own method loads the
                checkpoint.

        Raises:
            ModelFileError: it is missing, damaged, or does not say what its network is.
        """
        if {"model", "charset"} <= kwargs.keys():
            task: RecognitionTask = super().load_from_checkpoint(checkpoint_path, *args, **kwargs)
            return task
        for name in ("map_location", "hparams_file", "strict", "weights_only"):  # settings of Lightning's method
            kwargs.pop(name, None)
        saved = load_task_arguments(checkpoint_path, kwargs.pop("trust", ()))
        return cls(**{"optim": AdamW(), **saved, **kwargs}).eval()

    def configure_optimizers(self) -> Any:
        """Return the optimizer and its schedule over all steps of the run."""
        num_steps = self._count_steps() if self.num_steps is None else self.num_steps
        optimizer, schedule = self.optim.build(self.model, num_steps, self.rates)
        if self.device.type == "cpu":
            allow_clipping_in_bf16(optimizer)
        if schedule is None:
            return optimizer
        settings = schedule if isinstance(schedule, Mapping) else {"scheduler": schedule, "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": settings}

    def _count_steps(self) -> int:
        number = self.trainer.estimated_stepping_batches
        if number == float("inf"):
            remedy = "give the trainer max_epochs or max_steps, or RecognitionTask num_steps"
            raise InputError("the schedule needs the number of steps of the training", remedy=remedy)
        return int(number)

    def _evaluate(self, batch: Batch, name: str, metrics: RecognitionMetrics) -> dict[str, list[str]]:
        logits = self(batch.images).logits
        hypotheses = self.decode(logits, batch.widths, batch.directions)
        metrics.update(batch.texts, hypotheses)
        self.own_metrics.update(hypotheses, batch.texts)
        loss = self._loss(logits, batch)
        self.log(f"{name}/loss", loss, batch_size=len(batch), on_epoch=True, sync_dist=True)
        return {"hypotheses": hypotheses}

    def predict_step(self, batch: Batch, batch_idx: int) -> list[LinePrediction]:
        """Return a prediction for each line of a batch.

        Confidences are calibrated if the metadata of the model has a temperature.
        """
        logits = self(batch.images).logits.float().cpu().numpy()
        lengths = self.network.frame_lengths(batch.widths.cpu()).numpy()
        temperature = self.info.get("temperature", 1.0)
        return predict_lines(
            logits, lengths, batch.ids, charset=self.charset, decoder=self.decoder, temperature=temperature
        )

    def decode(self, logits: Tensor, widths: Tensor, directions: Sequence[StatedDirection] = ()) -> list[str]:
        """Return the texts of logits ``(N, T, K)`` of lines that are ``widths`` pixels wide; see `Batch.directions`."""
        lengths = self.network.frame_lengths(widths)
        ids = self.decoder(logits.detach().float().cpu().numpy(), lengths.cpu().numpy())
        stated = directions or [""] * len(ids)
        return [self.charset.decode(*line).strip() for line in zip(ids, stated, strict=True)]

    def _log_infeasible(self, batch: Batch) -> None:
        """Log the fraction of lines that random rescaling made too narrow for their text; `ctc_loss` ignores them."""
        needed = count_required_frames(batch.targets, batch.target_lengths)
        fraction = (self.network.frame_lengths(batch.widths) < needed).float().mean()
        self.log(
            "train/fraction_too_narrow", fraction, batch_size=len(batch), on_step=False, on_epoch=True, sync_dist=True
        )

    def _log_scores(self, name: str, metrics: RecognitionMetrics) -> None:
        scores = metrics.compute()
        for key, value in scores.items():  # already of all processes; sync_dist only keeps Lightning quiet
            self.log(f"{name}/{key}", value, prog_bar=key == "cer", sync_dist=True)
        metrics.reset()
        for key, number in self.own_metrics.compute().items():
            self.log(f"{name}/{key}", number, sync_dist=True)

    def _loss(self, logits: Tensor, batch: Batch) -> Tensor:
        return ctc_loss(logits, batch.targets, self.network.frame_lengths(batch.widths), batch.target_lengths)

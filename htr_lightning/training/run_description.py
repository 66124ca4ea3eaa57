"""What the loggers are told about a run: its hyperparameters, the graph of its network, its final scores."""

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.utils.tensorboard.summary import hparams

if TYPE_CHECKING:
    from htr_lightning.training.task import RecognitionTask

log = logging.getLogger(__name__)
_GRAPH_WIDTH_PX = 256


class RunDescription(Callback):
    """Gives hyperparameters and graph to the loggers when training starts, so that those of a killed run are known.

    Args:
        hyperparameters: flat, numbers, truth values and texts.
        scores: names of the final scores on val and test.
        graph: log the graph of the network.
    """

    def __init__(self, hyperparameters: Mapping[str, Any], scores: Iterable[str], *, graph: bool = True) -> None:
        self.hyperparameters, self.scores, self.graph = dict(hyperparameters), list(scores), graph

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Log both; the graph only of a run that starts at its first step."""
        if not trainer.is_global_zero:
            return
        for logger in trainer.loggers:
            if not isinstance(logger, TensorBoardLogger):
                logger.log_hyperparams(self.hyperparameters)
                continue
            names = [f"final/{split}/{name}" for split in ("val", "test") for name in self.scores]
            writer = logger.experiment._get_file_writer()
            for summary in _summarize(self.hyperparameters, dict.fromkeys(names, 0.0))[:2]:  # not yet that it has ended
                writer.add_summary(summary)
            if trainer.global_step == 0 and self.graph:
                _log_graph(logger, cast("RecognitionTask", pl_module))
            logger.experiment.flush()


def log_final_scores(trainer: lightning.Trainer, scores: Mapping[str, float]) -> None:
    """Give the scores of the finished run to the loggers, as ``final/val/cer`` and so on.

    TensorBoard shows them beside the hyperparameters.
    """
    final = {f"final/{name}": value for name, value in scores.items()}
    for logger in trainer.loggers:
        logger.log_metrics(final, trainer.global_step)
        if isinstance(logger, TensorBoardLogger):
            logger.experiment._get_file_writer().add_summary(_summarize({}, {})[2])
        logger.save()


@contextlib.contextmanager
def finish_wandb() -> Iterator[None]:
    """End the run of Weights & Biases that the block started, which the next trial of a sweep would continue."""
    try:
        yield
    finally:
        wandb = sys.modules.get("wandb")
        if wandb is not None and wandb.run is not None:
            wandb.finish()


def _summarize(hyperparameters: Mapping[str, Any], metrics: Mapping[str, float]) -> tuple[Any, Any, Any]:
    """Return what TensorBoard keeps of an experiment, of the start of a run, and of its end."""
    summaries: tuple[Any, Any, Any] = hparams(hyperparameters, metrics)  # type: ignore[no-untyped-call]
    return summaries


class _Logits(nn.Module):
    """A network whose result is a tensor, as tracing needs it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images).logits
        return logits


def _log_graph(logger: TensorBoardLogger, task: "RecognitionTask") -> None:
    """Trace the network on an empty line. A network that cannot be traced has no graph."""
    network = task.model
    modes = [(module, module.training) for module in network.modules()]
    parameter = next(network.parameters())
    images = torch.zeros(1, 1, int(cast(int, network.height_px)), _GRAPH_WIDTH_PX, device=parameter.device)
    devices = [parameter.device] if parameter.device.type == "cuda" else []
    with warnings.catch_warnings(), torch.random.fork_rng(devices=devices), torch.no_grad():
        warnings.simplefilter("ignore")  # of the tracer, about shapes that become constants
        try:
            logger.experiment.add_graph(_Logits(network.eval()), images, verbose=False)
        except Exception as error:  # whatever tracing raises
            log.debug("TensorBoard shows no graph: %s", error)
        finally:
            for module, is_training in modes:
                module.training = is_training

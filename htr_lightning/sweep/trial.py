"""A run as a trial of a study: it reports each validation, and ends when it is worse than others were by then."""

import contextlib
import logging
from typing import TYPE_CHECKING

import lightning
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn

if TYPE_CHECKING:
    from optuna.trial import Trial

log = logging.getLogger(__name__)


class PrunedError(Exception):
    """The trial is worse than others were at this point; the message says when it ended."""


class Report(Callback):
    """Reports ``val/cer`` to the study after each validation.

    Args:
        trial: of the study.

    Raises:
        PrunedError: from within ``Trainer.fit``, in every process.
    """

    def __init__(self, trial: "Trial") -> None:
        self.trial = trial

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Report, and ask whether to go on."""
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        hopeless = False
        if trainer.is_global_zero:
            known = self.trial.study.get_trials(deepcopy=False)[self.trial.number].intermediate_values
            step, cer = trainer.current_epoch, float(trainer.callback_metrics["val/cer"])
            if step not in known:  # a run that goes on may validate a step again
                self.trial.report(cer, step)
            with contextlib.suppress(ValueError):
                hopeless = self.trial.should_prune()
        if trainer.strategy.broadcast(hopeless):
            raise PrunedError(f"ended after epoch {trainer.current_epoch + 1}, worse than others were by then")

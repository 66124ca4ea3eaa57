"""A run as a trial of a study: it reports each validation, and ends when it is worse than others were by then."""

import contextlib
import logging
from typing import TYPE_CHECKING, Any

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
        self.trial, self._reported = trial, 0

    def state_dict(self) -> dict[str, Any]:
        """Return how many validations were reported; Lightning puts it into checkpoints."""
        return {"reported": self._reported}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self._reported = state_dict["reported"]

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Report, and ask whether to go on."""
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        hopeless, number = False, self._reported
        self._reported += 1
        if trainer.is_global_zero:
            known = self.trial.study.get_trials(deepcopy=False)[self.trial.number].intermediate_values
            if number not in known:  # a run that goes on may validate a second time
                self.trial.report(float(trainer.callback_metrics["val/cer"]), number)
            with contextlib.suppress(ValueError):
                hopeless = self.trial.should_prune()
        if trainer.strategy.broadcast(hopeless):
            raise PrunedError(f"ended after step {trainer.global_step}, worse than others were by then")

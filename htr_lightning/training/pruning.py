"""A run as a trial of an Optuna study: it reports each validation, and may be pruned."""

import contextlib
from collections.abc import Callable
from typing import Any

import lightning
import optuna
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.storages import RDBStorage
from optuna.trial import Trial
from sqlalchemy.pool import NullPool

from htr_lightning.config.schema import ConfigError
from htr_lightning.training.exits import PrunedError

STUDY, PRUNED = "htr_lightning", "pruned"
PRUNERS: dict[str, Callable[[int], BasePruner]] = {
    "median": lambda after: MedianPruner(n_startup_trials=4, n_warmup_steps=after),
    "hyperband": lambda after: HyperbandPruner(min_resource=max(1, after)),
    "none": lambda after: NopPruner(),
}


class TrialReporter(Callback):
    """Reports ``val/cer`` to the study after each validation.

    Args:
        trial: of the study.

    Raises:
        PrunedError: from within ``Trainer.fit``, in every process.
    """

    def __init__(self, trial: Trial) -> None:
        self.trial, self._reported = trial, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the number of reported validations; Lightning saves it in checkpoints."""
        return {"reported": self._reported}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the number."""
        self._reported = state_dict["reported"]

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Report ``val/cer``, and end the run if the pruner says so."""
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        prune, number = False, self._reported
        self._reported += 1
        if trainer.is_global_zero:
            known = self.trial.study.get_trials(deepcopy=False)[self.trial.number].intermediate_values
            if number not in known:  # a resumed run may validate a second time
                self.trial.report(float(trainer.callback_metrics["val/cer"]), number)
            with contextlib.suppress(ValueError):
                prune = self.trial.should_prune()
        if trainer.strategy.broadcast(prune):
            raise PrunedError(f"pruned after step {trainer.global_step}: worse than other trials at the same point")


def open_storage(url: str) -> RDBStorage:
    """Open the database of a study; no connection stays open between two accesses."""
    return RDBStorage(url, engine_kwargs={"poolclass": NullPool})


def load_trial(trial: str) -> Trial:
    """Load the trial that a run reports to, from the value of the root key ``trial``.

    Raises:
        ConfigError: the study or the trial cannot be found.
    """
    storage, _, number = trial.rpartition("#")
    try:
        study = optuna.load_study(study_name=STUDY, storage=open_storage(storage))
        pruner, prune_after = study.user_attrs["pruner"]
        study.pruner = PRUNERS[pruner](prune_after)
        frozen = study.get_trials(deepcopy=False)[int(number)]
    except Exception as error:  # whatever the database's driver raises
        remedy = "leave the key out; the sweeper sets it"
        raise ConfigError(f"the trial cannot be found ({error})", key="trial", value=trial, remedy=remedy) from None
    return Trial(study, frozen._trial_id)

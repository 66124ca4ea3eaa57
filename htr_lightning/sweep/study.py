"""Optuna studies in a database: a stopped sweep can be resumed, and trials can be pruned."""

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from htr_lightning.config.schema import ConfigError
from htr_lightning.training.pruning import PRUNED, PRUNERS, STUDY, open_storage

MAX_ATTEMPTS = 3
"""How often a trial is started or resumed; the trial itself may have stopped the sweep, such as for lack of memory."""
_ATTEMPTS = "attempts"
SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed, multivariate=False),
    "random": lambda seed: RandomSampler(seed=seed),
}

log = logging.getLogger(__name__)
Launch = Callable[[Sequence[Sequence[str]], int], Sequence[float | str | None]]
"""Runs trials, given the overrides of each and the number of the first; returns their values: a CER, `PRUNED`, or None
for a failure."""


def open_study(storage: str, sampler: str, pruner: str, prune_after: int, seed: int) -> optuna.Study:
    """Open a study in a database, or create it.

    Raises:
        ConfigError: a name is unknown, or the database cannot be opened or is damaged.
    """
    for key, name, known in (("sampler", sampler, SAMPLERS), ("pruner", pruner, PRUNERS)):
        if name not in known:
            raise ConfigError(f"hydra.sweeper.{key}: {name!r} is unknown; choose from {', '.join(known)}")
    _check_database(storage)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            storage=open_storage(storage), study_name=STUDY, load_if_exists=True, pruner=PRUNERS[pruner](prune_after)
        )
        num_trials = len(study.trials)
    except Exception as error:  # whatever the database's driver raises
        raise ConfigError(f"hydra.sweeper.storage: {storage} cannot be opened ({error})") from None
    study.set_user_attr("pruner", [pruner, prune_after])  # for the trials, which open the study themselves
    # Otherwise a resumed study would sample the same values again.
    study.sampler = SAMPLERS[sampler](seed + num_trials)
    return study


def _check_database(storage: str) -> None:
    """Let SQLite check the file of a study, if it is one and exists.

    Raises:
        ConfigError: it is damaged.
    """
    path = Path(storage.removeprefix("sqlite:///"))
    if not storage.startswith("sqlite:///") or not path.is_file():
        return
    try:
        with contextlib.closing(sqlite3.connect(path)) as database:
            problems = [str(row[0]) for row in database.execute("PRAGMA integrity_check(1)")]
    except sqlite3.OperationalError:  # locked by another process; or no permission, which Optuna reports
        return
    except sqlite3.DatabaseError as error:
        problems = [str(error)]
    if problems != ["ok"]:
        raise ConfigError(
            f"the study is damaged ({problems[0].splitlines()[-1]})",
            key="hydra.sweeper.storage",
            value=storage,
            remedy="restore the file from a copy, or start the sweep again in another folder",
            kind="damaged",
        )


def trial_url(storage: str, trial: int) -> str:
    """Return the value of the root key ``trial`` of a run."""
    return f"{storage}#{trial}"


def sweep(
    study: optuna.Study,
    space: Mapping[str, BaseDistribution],
    overrides_of: Callable[[int, Mapping[str, Any]], Sequence[str]],
    launch: Launch,
    *,
    num_trials: int,
    num_parallel: int,
) -> None:
    """Run trials until the study has ``num_trials``; first those that were running when it was stopped.

    Args:
        study: may have trials already.
        space: distributions to sample from.
        overrides_of: returns the overrides of a trial, from its number and sampled values.
        launch: runs some trials in parallel.
        num_trials: of the study, including earlier and pruned ones, but not those that failed earlier.
        num_parallel: trials launched together.

    Raises:
        ConfigError: the study was created with another search space.
    """
    running = _running_trials(study)
    failed_before = len(study.get_trials(deepcopy=False, states=(TrialState.FAIL,)))  # the cause may be fixed
    for together in _neighbors(running, num_parallel):
        log.info("%s stopped; resuming", ", ".join(f"Trial {frozen.number}" for frozen in together))
        stopped = [overrides_of(frozen.number, frozen.params) for frozen in together]
        _tell(study, together, launch(stopped, together[0].number))
    while (left := num_trials + failed_before - len(study.trials)) > 0:
        try:
            asked = [study.ask(dict(space)) for _ in range(min(left, num_parallel))]
        except ValueError as error:
            raise ConfigError(
                f"hydra.sweep.dir: the study there has another search space ({error}); use another folder"
            ) from None
        batch = [overrides_of(trial.number, trial.params) for trial in asked]
        _tell(study, asked, launch(batch, asked[0].number))


def _running_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that were running when the study was stopped, except those with `MAX_ATTEMPTS`."""
    running = []
    for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        times = int(frozen.user_attrs.get(_ATTEMPTS, 1))
        if times >= MAX_ATTEMPTS:
            log.warning("Trial %d did not finish in %d attempts; it counts as failed", frozen.number, times)
            study.tell(frozen.number, state=TrialState.FAIL)
            continue
        Trial(study, frozen._trial_id).set_user_attr(_ATTEMPTS, times + 1)
        running.append(frozen)
    return running


def _neighbors(trials: Sequence[FrozenTrial], most: int) -> list[list[FrozenTrial]]:
    """Divide trials into groups of consecutive numbers, as launchers need them."""
    groups: list[list[FrozenTrial]] = []
    for trial in trials:
        if groups and len(groups[-1]) < most and groups[-1][-1].number + 1 == trial.number:
            groups[-1].append(trial)
        else:
            groups.append([trial])
    return groups


def _tell(study: optuna.Study, trials: Sequence[Trial | FrozenTrial], values: Sequence[float | str | None]) -> None:
    for trial, value in zip(trials, values, strict=True):
        if isinstance(value, float):
            study.tell(trial.number, value)
        else:
            study.tell(trial.number, state=TrialState.PRUNED if value == PRUNED else TrialState.FAIL)

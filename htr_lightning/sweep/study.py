"""Optuna studies on disk: a sweep that was stopped goes on, and a trial can see that it is hopeless."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from htr_lightning.config.schema import ConfigError
from htr_lightning.training.pruning import PRUNED, PRUNERS, STUDY

MOST_BEGINNINGS = 3
"""How often a trial is begun or gone on with; the sweep may stop because of it, for lack of memory for example."""
_BEGUN = "begun"
SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed, multivariate=False),
    "random": lambda seed: RandomSampler(seed=seed),
}

log = logging.getLogger(__name__)
Launch = Callable[[Sequence[Sequence[str]], int], Sequence[float | str | None]]
"""Runs trials, given the overrides of each and the number of the first; returns the value of each: a CER, `PRUNED`, or
None for one that failed."""


def open_study(storage: str, sampler: str, pruner: str, prune_after: int, seed: int) -> optuna.Study:
    """Open the study in a database, or begin it.

    Raises:
        ConfigError: a name is unknown, or the database cannot be opened.
    """
    for key, name, known in (("sampler", sampler, SAMPLERS), ("pruner", pruner, PRUNERS)):
        if name not in known:
            raise ConfigError(f"hydra.sweeper.{key}: {name!r} is unknown; there is {', '.join(known)}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            storage=storage, study_name=STUDY, load_if_exists=True, pruner=PRUNERS[pruner](prune_after)
        )
    except Exception as error:  # whatever the database's driver raises
        raise ConfigError(f"hydra.sweeper.storage: {storage} cannot be opened ({error})") from None
    study.set_user_attr("pruner", [pruner, prune_after])  # for the trials, which open it themselves
    # What was drawn before a stop would otherwise be drawn again.
    study.sampler = SAMPLERS[sampler](seed + len(study.trials))
    return study


def address(storage: str, trial: int) -> str:
    """Return what a run is told of its trial (the root key ``trial``)."""
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
    """Run trials until the study has so many, those first that were running when it was stopped.

    Args:
        study: may have trials already.
        space: what is drawn.
        overrides_of: from a trial's number and what was drawn for it.
        launch: runs some at a time.
        num_trials: of the study, those of before and the pruned included; of the failed, those of now.
        num_parallel: launched together.

    Raises:
        ConfigError: the study was begun with other choices.
    """
    stopped_in = _begun(study)
    failed_before = len(study.get_trials(deepcopy=False, states=(TrialState.FAIL,)))  # perhaps mended since
    for together in _neighbors(stopped_in, num_parallel):
        log.info("%s stopped; going on with it", ", ".join(f"Trial {frozen.number}" for frozen in together))
        stopped = [overrides_of(frozen.number, frozen.params) for frozen in together]
        _tell(study, together, launch(stopped, together[0].number))
    while (left := num_trials + failed_before - len(study.trials)) > 0:
        try:
            asked = [study.ask(dict(space)) for _ in range(min(left, num_parallel))]
        except ValueError as error:
            raise ConfigError(
                f"hydra.sweep.dir: the study there was begun with other choices ({error}); use another folder"
            ) from None
        batch = [overrides_of(trial.number, trial.params) for trial in asked]
        _tell(study, asked, launch(batch, asked[0].number))


def _begun(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that were running when the study was stopped, but for those that it always stopped in."""
    begun = []
    for frozen in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        times = int(frozen.user_attrs.get(_BEGUN, 1))
        if times >= MOST_BEGINNINGS:
            log.warning("Trial %d did not come to its end in %d attempts; it counts as failed", frozen.number, times)
            study.tell(frozen.number, state=TrialState.FAIL)
            continue
        Trial(study, frozen._trial_id).set_user_attr(_BEGUN, times + 1)
        begun.append(frozen)
    return begun


def _neighbors(trials: Sequence[FrozenTrial], most: int) -> list[list[FrozenTrial]]:
    """Divide trials into groups that launchers can number: at most so many, without a gap."""
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

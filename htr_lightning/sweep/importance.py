"""Which of the keys that a sweep varied matter, and how much."""

import math
from collections.abc import Sequence

from htr_lightning.sweep.trials import TrialRecord

MIN_TRIALS = 8
LOG_FROM = 20
"""Numbers that differ by more than this factor are compared on a log scale."""


def parse_numbers(values: Sequence[str]) -> list[float] | None:
    """Return values as numbers, or None where one is no number."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


def is_logarithmic(numbers: Sequence[float]) -> bool:
    """Whether numbers differ by orders of magnitude."""
    return min(numbers) > 0 and max(numbers) / min(numbers) >= LOG_FROM


def compute_importance(trials: Sequence[TrialRecord], keys: Sequence[str]) -> dict[str, float] | None:
    """Return the importance of each key for a low CER; they sum to 1 (PED-ANOVA, Watanabe et al. 2023).

    Args:
        trials: of a sweep; only those that are done and have a value for every key are used.
        keys: varied keys.

    Returns:
        None with fewer than `MIN_TRIALS` such trials, or without Optuna.
    """
    try:
        import optuna
    except ModuleNotFoundError:
        return None
    complete = [trial for trial in trials if trial.state == "done" and all(key in trial.overrides for key in keys)]
    if len(complete) < MIN_TRIALS or not keys:
        return None
    distributions: dict[str, optuna.distributions.BaseDistribution] = {}
    for key in keys:
        values = [trial.overrides[key] for trial in complete]
        numbers = parse_numbers(values)
        if len(set(values)) < 2:
            continue
        if numbers is None:
            distributions[key] = optuna.distributions.CategoricalDistribution(sorted(set(values)))
        else:
            distributions[key] = optuna.distributions.FloatDistribution(
                min(numbers), max(numbers), log=is_logarithmic(numbers)
            )
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study()
        for trial in complete:
            params = {
                key: trial.overrides[key] if hasattr(distribution, "choices") else float(trial.overrides[key])
                for key, distribution in distributions.items()
            }
            study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=trial.cer))
        importances = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )
    finally:
        optuna.logging.set_verbosity(verbosity)
    return dict(importances)

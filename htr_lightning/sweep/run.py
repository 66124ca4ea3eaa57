"""A study from its overrides to its end."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from hydra.core.override_parser.types import Override
from omegaconf.errors import OmegaConfBaseException

from htr_lightning.config.schema import ConfigError
from htr_lightning.config.validate import format_problems

log = logging.getLogger(__name__)


class Sweeping(Protocol):
    """What a sweeper has: see ``StudySweeper``."""

    num_trials: int
    num_parallel: int
    sampler: str
    pruner: str
    prune_after: int
    seed: int
    storage: str | None

    def check(self, overrides: Sequence[str]) -> None:
        """Raise where a trial cannot be composed."""
        ...

    def launch(self, batch: Sequence[Sequence[str]], first: int) -> Sequence[float | str | None]:
        """Run trials."""
        ...


def run_study(sweeper: Sweeping, overrides: Sequence[Override], folder: Path) -> float:
    """Run a study to its end, and say what was best.

    Args:
        sweeper: its settings, and how trials are run.
        overrides: of the command line.
        folder: of the sweep.

    Returns:
        The lowest ``val/cer``.

    Raises:
        SystemExit: a setting is wrong, Optuna is not installed, or no trial came to its end.
    """
    try:
        from htr_lightning.sweep import space, study
    except ModuleNotFoundError as error:
        raise SystemExit(f'hydra/sweeper=study needs {error.name}: pip install "htr-lightning[sweep]"') from None
    for key in ("num_trials", "num_parallel"):
        if getattr(sweeper, key) < 1:
            raise SystemExit(f"hydra.sweeper.{key}: {getattr(sweeper, key)} is too small; give 1 or more")
    storage = sweeper.storage or f"sqlite:///{folder / 'study.db'}"
    try:
        fixed, drawn = space.parse_space(overrides)
        opened = study.open_study(storage, sweeper.sampler, sweeper.pruner, sweeper.prune_after, sweeper.seed)
    except ConfigError as error:
        raise SystemExit(str(error)) from None

    def watched(number: int) -> str:
        return study.trial_url(storage, number).replace("\\", "\\\\").replace("'", "\\'")

    def overrides_of(number: int, params: Mapping[str, Any]) -> list[str]:
        return [*fixed, *space.format_overrides(params), "resume=auto", f"trial='{watched(number)}'"]

    try:
        for params in space.cover_choices(drawn):
            sweeper.check(overrides_of(0, params))
    except (ConfigError, OmegaConfBaseException) as error:
        raise SystemExit(format_problems(error)) from None
    try:
        study.sweep(
            opened,
            drawn,
            overrides_of,
            sweeper.launch,
            num_trials=sweeper.num_trials,
            num_parallel=sweeper.num_parallel,
        )
    except ConfigError as error:
        raise SystemExit(str(error)) from None
    done = [trial for trial in opened.trials if trial.value is not None and trial.state.name == "COMPLETE"]
    log.info("%d trials, %d of them to their end", len(opened.trials), len(done))
    if not done:
        raise SystemExit(f"No trial came to its end; python -m htr_lightning sweep-report {folder} says why")
    best = min(done, key=lambda trial: trial.value or 0.0)
    shown = ", ".join(space.format_overrides(best.params))
    log.info("The best, %d: val CER %.2f %% with %s", best.number, 100 * (best.value or 0.0), shown)
    log.info("All of them: python -m htr_lightning sweep-report %s", folder)
    return best.value or 0.0

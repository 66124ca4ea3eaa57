"""The trials of a sweep, read from its folder."""

import contextlib
import csv
import logging
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from htr_lightning.config.schema import ConfigError
from htr_lightning.files import RunFolder, read_json, write_json
from htr_lightning.training.provenance import now

log = logging.getLogger(__name__)
State = Literal["done", "pruned", "failed", "unfinished"]
IGNORED = ("resume", "trial")
"""Overrides that are not part of the search space."""
_DATE_OR_TIME = re.compile(r"\d{4}-\d\d-\d\d$|\d\d-\d\d-\d\d-")  # begins the names of folders in runs/ and runs/DATE/


@dataclass(frozen=True)
class TrialRecord:
    """A run of a sweep.

    Attributes:
        number: in the sweep.
        folder: of the run.
        state: done, pruned, failed or unfinished.
        overrides: of its command line, by key.
        choices: its options of the config groups.
        scores: of a trial that is done: ``val/cer`` (a fraction) and more.
        minutes: from start to end; NaN if unknown.
        curve: ``val/cer`` of each validation, (number counted from 1, fraction).
        message: why it failed or was pruned.
    """

    number: int
    folder: Path
    state: State
    overrides: dict[str, str]
    choices: dict[str, str | None] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    minutes: float = math.nan
    curve: Sequence[tuple[int, float]] = ()
    message: str = ""

    @property
    def cer(self) -> float:
        """Final ``val/cer``; of a pruned trial the lowest that it reported; infinite if there is none."""
        return self.scores.get("val/cer", min((cer for _, cer in self.curve), default=math.inf))


def read_trials(folder: Path) -> list[TrialRecord]:
    """Read the trials of a sweep: the folders whose names begin with a number.

    Raises:
        ConfigError: there is no such folder, or it holds no trial.
    """
    if not folder.is_dir():
        remedy = "give the folder that hydra.sweep.dir names"
        raise ConfigError("there is no such folder", file=folder, remedy=remedy, kind="missing")
    trials = _list_trials(folder)
    if not trials:
        remedy = "give the folder of a sweep (--multirun), which contains folders like 0-dev"
        raise ConfigError("the folder contains no trials", file=folder, remedy=remedy, kind="empty")
    return sorted(trials, key=lambda trial: trial.number)


def _list_trials(folder: Path) -> list[TrialRecord]:
    paths = [path for path in folder.iterdir() if path.is_dir() and not _DATE_OR_TIME.match(path.name)]
    numbered = [(path.name.split("-")[0], path) for path in paths]
    return [_read_trial(int(number), path) for number, path in numbered if number.isdecimal()]


def _read_trial(number: int, folder: Path) -> TrialRecord:
    files = RunFolder(folder)
    run, failed, pruned = read_json(files.info), read_json(files.failed), read_json(files.pruned)
    scores = files.scores()
    ended = failed or pruned
    state: State = "done" if scores else "failed" if failed else "pruned" if pruned else "unfinished"
    return TrialRecord(
        number=number,
        folder=folder,
        state=state,
        overrides=parse_overrides(run.get("overrides") or ended.get("overrides") or []),
        choices=run.get("choices", {}),
        scores=scores or {},
        minutes=_compute_minutes(run, ended.get("time")),
        curve=_read_curve(folder),
        message=str(ended.get("message", "")) if state in ("failed", "pruned") else "",
    )


def record_launcher_failure(
    folder: Path, batch: Sequence[Sequence[str]], first: int, error: Exception
) -> list[float | str | None]:
    """Return the values of trials whose launcher failed: the CER of those that are done, ``pruned``, or None.

    The error is written into the folders of those that failed.

    Args:
        folder: of the sweep.
        batch: the overrides of each trial.
        first: number of the first.
        error: of the launcher.
    """
    message = (
        f"its process was killed, or the launcher failed ({type(error).__name__}: {str(error).strip()[:500]}); "
        "if memory is short, run fewer trials in parallel (hydra.sweeper.num_parallel)"
    )
    log.error("A trial of %d to %d failed: %s", first, first + len(batch) - 1, message)
    records = {trial.number: trial for trial in _list_trials(folder)}
    values: list[float | str | None] = []
    for number, overrides in enumerate(batch, first):
        trial = records.get(number)
        if trial is not None and trial.state in ("done", "pruned"):
            values.append(trial.cer if trial.state == "done" else "pruned")
            continue
        values.append(None)
        if trial is None or trial.state == "unfinished":
            where = trial.folder if trial is not None else folder / str(number)
            write_outcome(RunFolder(where).failed, message, overrides)
    return values


def write_outcome(path: Path, message: str, overrides: Sequence[str]) -> None:
    """Write why a trial failed or was pruned; nothing if its folder cannot be written.

    Args:
        path: `RunFolder.failed` or `RunFolder.pruned`.
        message: the reason.
        overrides: of the command line of the trial.
    """
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"message": message, "time": now(), "overrides": list(overrides)})


def parse_overrides(overrides: Sequence[str]) -> dict[str, str]:
    """Return the values of overrides by key, without the signs before the keys."""
    pairs = (override.lstrip("+").partition("=")[::2] for override in overrides)
    return {key: value for key, value in pairs if key not in IGNORED}


def find_varied_keys(trials: Sequence[TrialRecord]) -> list[str]:
    """Return the keys whose values are not the same in all trials, in the order of the command line."""
    keys = dict.fromkeys(key for trial in trials for key in trial.overrides)
    return [key for key in keys if len({trial.overrides.get(key) for trial in trials}) > 1]


def _compute_minutes(run: dict[str, Any], ended: str | None) -> float:
    end = run.get("end") or ended
    if not end or "start" not in run:
        return math.nan
    return (datetime.fromisoformat(end) - datetime.fromisoformat(run["start"])).total_seconds() / 60


def _read_curve(folder: Path) -> list[tuple[int, float]]:
    """Read the logged ``val/cer``; of two values of one step, the first counts.

    The last value of a run that is done is that of the best weights, and is left out.
    """
    rates_by_step: dict[int, float] = {}
    run = RunFolder(folder)
    for path in run.logs:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row.get("val/cer") and row.get("step"):
                    rates_by_step.setdefault(int(row["step"]), float(row["val/cer"]))
    rates = [cer for _, cer in sorted(rates_by_step.items())]
    return list(enumerate(rates[:-1] if run.scores() and len(rates) > 1 else rates, start=1))

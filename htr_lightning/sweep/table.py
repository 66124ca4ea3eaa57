"""A sweep as a table of text."""

import math
from collections.abc import Sequence

from htr_lightning.sweep.trials import TrialRecord


def column_names(keys: Sequence[str]) -> list[str]:
    """Return the names of the columns."""
    return ["trial", "state", "val CER", "test CER", "minutes", *keys]


def format_row(trial: TrialRecord, keys: Sequence[str]) -> list[str]:
    """Return the row of a trial; unknown values are empty."""
    test = trial.scores.get("test/cer", math.inf)
    rates = [f"{100 * cer:.2f} %" if math.isfinite(cer) else "" for cer in (trial.cer, test)]
    minutes = f"{trial.minutes:.1f}" if math.isfinite(trial.minutes) else ""
    return [str(trial.number), trial.state, *rates, minutes, *(_short(trial.overrides.get(key, "")) for key in keys)]


def _short(value: str) -> str:
    """Shorten a number to four digits."""
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value


def format_table(trials: Sequence[TrialRecord], keys: Sequence[str]) -> str:
    """Return the table with its columns aligned, and under each failed trial why it failed."""
    rows = [column_names(keys), *(format_row(trial, keys) for trial in trials)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    failed = [f"{trial.number} failed: {trial.message}" for trial in trials if trial.state == "failed"]
    return "\n".join([*lines, *failed])

"""A progress bar in the terminal."""

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def show_progress(batches: Iterable[Any], num_lines: int, description: str) -> Iterable[Any]:
    """Yield batches unchanged while a progress bar on standard error counts their lines.

    Nothing is drawn if standard error is not a terminal.

    Args:
        batches: each with a length, in lines.
        num_lines: total number of lines.
        description: text in front of the bar.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(description, total=num_lines)
        for batch in batches:
            yield batch
            progress.advance(task, len(batch))

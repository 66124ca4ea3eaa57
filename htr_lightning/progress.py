"""The bar that shows how far a long piece of work has come."""

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def show_progress(steps: Iterable[Any], num_lines: int, description: str) -> Iterable[Any]:
    """Draw a bar on the error output while lists of lines go by; nothing is drawn where that is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(description, total=num_lines)
        for step in steps:
            yield step
            progress.advance(task, len(step))

"""A progress bar in the terminal; without one, a line a minute."""

import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

INTERVAL_S = 60.0


def show_progress(
    batches: Iterable[Any], num_lines: int, description: str, *, clock: Callable[[], float] = time.monotonic
) -> Iterable[Any]:
    """Yield batches unchanged while a progress bar on standard error counts their lines.

    If standard error is not a terminal, as in a batch job, a sentence is printed once a minute instead.

    Args:
        batches: each with a length, in lines.
        num_lines: total number of lines.
        description: text in front of the bar.
        clock: returns the time in seconds.
    """
    if not sys.stderr.isatty():
        yield from _print_progress(batches, num_lines, description, clock)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(description, total=num_lines)
        for batch in batches:
            yield batch
            progress.advance(task, len(batch))


def _print_progress(
    batches: Iterable[Any], num_lines: int, description: str, clock: Callable[[], float]
) -> Iterable[Any]:
    start = printed = clock()
    done = 0
    for batch in batches:
        yield batch
        done += len(batch)
        now = clock()
        if now - printed >= INTERVAL_S and 0 < done < num_lines:
            printed = now
            minutes = (now - start) / done * (num_lines - done) / 60
            left = f"about {minutes:.0f} min left" if minutes >= 1 else "less than a minute left"
            count = f"{done:,} of {num_lines:,} ({done / num_lines:.0%})"
            print(f"{description}: {count}, {left}", file=sys.stderr, flush=True)

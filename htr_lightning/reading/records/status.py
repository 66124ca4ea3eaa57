"""How far a folder of results is: pages read, failed and left, and how long it will take."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from htr_lightning.reading.page_jobs import PageJob, UnreadableFile
from htr_lightning.reading.records.journal import Journal
from htr_lightning.text import format_count

_RECENT = timedelta(minutes=10)
_SAMPLE = 200  # records from which the time of a page is taken


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """Counts of the pages of a run.

    Attributes:
        done: pages whose results are there.
        failed: pages that could not be read, by the reason.
        left: pages that were not read yet.
        changed: pages that will be read again, as the scan has changed.
        seconds_per_page: median; None if no page was read.
        machines: that wrote results in the last ten minutes, each with its number of processes.
    """

    done: int
    failed: Mapping[str, int]
    left: int
    changed: int
    seconds_per_page: float | None
    machines: Mapping[str, int]

    @property
    def seconds_left(self) -> float | None:
        """Time until all pages are read at the present speed; None if no page was read."""
        if self.seconds_per_page is None:
            return None
        return (self.left + self.changed) * self.seconds_per_page / max(1, sum(self.machines.values()))

    def describe(self) -> str:
        """Return the status as sentences, one on each line."""
        num_failed = sum(self.failed.values())
        total = self.done + self.left + self.changed + num_failed
        rows = [f"{format_count(total, 'page')}: {self.done:,} read, {num_failed:,} failed, {self.left:,} left"]
        if self.changed:
            rows[0] += f", {self.changed:,} changed since"
        rows += [f"  failed: {count:,} x {reason}" for reason, count in sorted(self.failed.items())]
        if not (self.left or self.changed):
            return "\n".join(rows)
        for machine, processes in sorted(self.machines.items()):
            rows.append(f"  at work in the last ten minutes: {machine}, {format_count(processes, 'process')}")
        if self.seconds_left is not None:
            speed = f"{self.seconds_per_page:.2g} s a page"
            rows.append(f"  about {describe_duration(self.seconds_left)} left at {speed}")
        return "\n".join(rows)


def compute_status(
    jobs: Sequence[PageJob], unreadable: Mapping[Path, UnreadableFile], journal: Journal, now: datetime | None = None
) -> FolderStatus:
    """Return the status of a folder of results.

    Args:
        jobs: all pages of the run; see `htr_lightning.reading.page_jobs.find_jobs`.
        unreadable: files that cannot be opened.
        journal: of the folder.
        now: UTC time; None for that of the clock.
    """
    failed = Counter(file.error.kind or file.error.problem for file in unreadable.values())
    states: Counter[str] = Counter()
    for job in jobs:
        state = journal.judge(job)
        record = journal.records.get(journal.name(job.folder, job.stem))
        if state == "missing" and record is not None and record.status == "failed":
            failed[record.kind or record.problem] += 1
        else:
            states[state] += 1
    records = sorted(journal.records.values(), key=lambda record: record.finished)
    seconds = [record.seconds for record in records if record.status == "read"][-_SAMPLE:]
    recent = (now or datetime.now(UTC)) - _RECENT
    at_work = {(r.machine, r.process) for r in records if datetime.fromisoformat(r.finished) >= recent}
    return FolderStatus(
        done=states["done"] + states["edited"],
        failed=failed,
        left=states["missing"],
        changed=states["changed"],
        seconds_per_page=statistics.median(seconds) if seconds else None,
        machines=Counter(machine for machine, _ in at_work),
    )


def describe_duration(seconds: float) -> str:
    """Return a duration in words, such as ``3 h 20 min``."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours / 24:.1f} days"

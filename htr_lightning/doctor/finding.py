"""What the doctor says: findings, and the verdict that follows from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from htr_lightning.data.line import Split

Severity = Literal["fault", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("fault", "warning", "note")
"""``fault``: training refuses, or its scores would mean nothing. ``warning``: it runs, at a cost. ``note``: good to
know, and often as it should be.
"""
Verdict = Literal["healthy", "usable with warnings", "not usable"]


@dataclass(frozen=True, slots=True)
class Named:
    """A line that a finding names.

    Attributes:
        split: the split it is in.
        id: of the line.
        why: what is the matter with it, half a sentence; empty where the finding's title says it all.
    """

    split: Split
    id: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a data set, or worth knowing of it.

    Attributes:
        key: what the finding is called in ``report.json``, for scripts; ``missing_images``, for example.
        severity: see `SEVERITIES`.
        title: half a sentence with the count.
        count: of the lines (or characters, or groups) concerned.
        remedy: what to do, with the keys to type; empty for nothing.
        lines: those concerned, in order; empty where it is not about lines.
    """

    key: str
    severity: Severity
    title: str
    count: int
    remedy: str = ""
    lines: Sequence[Named] = ()


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sort faults before warnings before notes; findings of one severity keep their order."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """Judge a data set by the worst of its findings."""
    severities = {finding.severity for finding in findings}
    if "fault" in severities:
        return "not usable"
    return "usable with warnings" if "warning" in severities else "healthy"


def exit_status(findings: Sequence[Finding], *, strict: bool) -> int:
    """Return 1 if there are faults, or, when ``strict``, warnings; else 0."""
    return int(verdict_of(findings) in (("not usable", "usable with warnings") if strict else ("not usable",)))

"""Findings of the doctor, and the verdict that follows from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from htr_lightning.data.line import Split

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""``error``: training refuses the dataset, or its scores would be meaningless. ``warning``: training runs, but scores
suffer or mislead. ``note``: for information; often intended.
"""
Verdict = Literal["healthy", "usable with warnings", "not usable"]


@dataclass(frozen=True, slots=True)
class AffectedLine:
    """A line that a finding names.

    Attributes:
        split: of the line.
        id: of the line.
        reason: what is wrong with it, as a phrase; empty if the finding's title says it.
    """

    split: Split
    id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem or notable fact of a dataset.

    Attributes:
        key: identifies the kind of finding in ``report.json``, such as ``missing_images``.
        severity: see `SEVERITIES`.
        title: what was found, as a phrase with the count.
        count: of the affected lines, characters or groups.
        remedy: what to do, with configuration keys; empty if there is nothing to do.
        lines: the affected ones, in order; empty if the finding is not about lines.
    """

    key: str
    severity: Severity
    title: str
    count: int
    remedy: str = ""
    lines: Sequence[AffectedLine] = ()


def sort_by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Sort errors before warnings before notes; the sort is stable."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def decide_verdict(findings: Sequence[Finding]) -> Verdict:
    """Return the verdict on a dataset, which its most severe finding determines."""
    severities = {finding.severity for finding in findings}
    if "error" in severities:
        return "not usable"
    return "usable with warnings" if "warning" in severities else "healthy"


def get_exit_status(findings: Sequence[Finding], *, strict: bool) -> int:
    """Return 1 if there are errors or, with ``strict``, warnings; else 0."""
    failing = ("not usable", "usable with warnings") if strict else ("not usable",)
    return int(decide_verdict(findings) in failing)

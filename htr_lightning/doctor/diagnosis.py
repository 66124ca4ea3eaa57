"""The diagnosis of a dataset: all findings, computed from facts."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import SPLITS, LeftOut, Split
from htr_lightning.directions.scripts import group_by_script
from htr_lightning.doctor import characters, ideographs, leaks, lines, marks, scripts
from htr_lightning.doctor.facts import Facts, Settings, SplitFacts
from htr_lightning.doctor.finding import Finding, Verdict, decide_verdict, sort_by_severity
from htr_lightning.doctor.outliers import Outlier, find_outliers, report_outliers

REPORT_FORMAT = 2  # raise it when a key of report.json changes


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings about a dataset and the facts behind them.

    Attributes:
        title: names the dataset: the arguments of the command.
        facts: of all splits.
        settings: that the findings depend on.
        counts: of each character in the usable texts of a split, after normalization.
        outliers: lines with an unusual width per character, the most unusual first.
        findings: the most severe first.
    """

    title: str
    facts: Facts
    settings: Settings
    counts: dict[Split, Counter[str]]
    outliers: list[Outlier]
    findings: list[Finding]

    @property
    def verdict(self) -> Verdict:
        """The verdict that follows from the findings."""
        return decide_verdict(self.findings)

    @property
    def charset(self) -> list[str]:
        """All characters, the most frequent first."""
        return [character for character, _ in sum(self.counts.values(), Counter[str]()).most_common()]


def diagnose(
    facts: Facts,
    settings: Settings,
    title: str = "",
    left_out: Mapping[Split, LeftOut] | None = None,
    replaced_outlines: Mapping[Split, Mapping[str, Sequence[str]]] | None = None,
) -> Diagnosis:
    """Run all checks.

    Args:
        facts: of all three splits.
        settings: of the run.
        title: names the dataset.
        left_out: what the dataset leaves out; None for nothing.
        replaced_outlines: ids of lines that are not cropped by their outline, by the reason; None for none.
    """
    counts = {
        split: characters.count_characters(facts[split].get_usable_texts(), settings.normalization) for split in SPLITS
    }
    outliers = find_outliers(facts)
    findings = [
        *lines.find_empty_splits(facts),
        *lines.find_repeated_ids(facts),
        *lines.find_unusable_lines(facts, settings),
        *lines.find_left_out_lines(left_out or {}),
        *lines.find_replaced_outlines(replaced_outlines or {}),
        *leaks.find_shared_lines(facts, settings),
        *leaks.find_repeated_images(facts),
        *leaks.find_shared_groups(facts, settings),
        *leaks.find_repeated_texts(facts),
        *_check_characters(facts, settings, counts),
        *report_outliers(facts, outliers),
        *lines.find_faint_images(facts),
        *lines.find_rotated_lines(facts),
        *lines.find_enlarged_images(facts, settings),
    ]
    return Diagnosis(title, facts, settings, counts, outliers, sort_by_severity(findings))


def _check_characters(facts: Facts, settings: Settings, counts: dict[Split, Counter[str]]) -> list[Finding]:
    """Return the findings about the characters of the texts."""
    texts = {split: list(zip(rows.ids, rows.texts, strict=True)) for split, rows in facts.items()}
    known = settings.known_characters.union(counts["train"])
    return [
        *characters.find_unknown_characters(texts, counts, known, settings.normalization),
        *scripts.find_script_problems(texts),
        *characters.find_lookalikes(texts, fonts=settings.groups_are_fonts),
        *ideographs.find_ideograph_problems(texts, settings.normalization, fonts=settings.groups_are_fonts),
        *marks.find_mark_problems(texts, settings.normalization),
        *characters.find_unprintable_characters(texts),
        *characters.find_uncomposed_texts(texts, settings.normalization),
        *characters.find_rare_characters(counts),
    ]


def to_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return the content of ``report.json``: everything that the page shows, and every line of each finding."""
    settings = diagnosis.settings
    return {
        "format": REPORT_FORMAT,
        "data": diagnosis.title,
        "verdict": diagnosis.verdict,
        "settings": {
            "loader.max_skipped": settings.max_skipped,
            "loader.max_shared": settings.max_shared,
            "loader.normalization": settings.normalization,
            "preprocess.height_px": settings.height_px,
        },
        "splits": {split: summarize_split(diagnosis.facts[split], diagnosis.counts[split]) for split in SPLITS},
        "findings": [
            {
                "key": finding.key,
                "severity": finding.severity,
                "title": finding.title,
                "count": finding.count,
                "remedy": finding.remedy,
                "lines": [{"split": line.split, "id": line.id, "reason": line.reason} for line in finding.lines],
            }
            for finding in diagnosis.findings
        ],
        "scripts": {script: len(members) for script, members in group_by_script(diagnosis.charset).items()},
        "charset": [
            {
                "character": character,
                "code_point": f"U+{ord(character):04X}",
                "name": unicodedata.name(character, ""),
                **{split: diagnosis.counts[split][character] for split in SPLITS},
            }
            for character in diagnosis.charset
        ],
    }


def summarize_split(rows: SplitFacts, counts: Counter[str]) -> dict[str, Any]:
    """Return the numbers of one split; sizes are of its usable lines."""
    usable = rows.usable
    return {
        "lines": len(rows),
        "usable": int(usable.sum()),
        "groups": len(set(filter(None, rows.groups))),
        "characters": counts.total(),
        "charset": len(counts),
        "width_px": summarize_values(rows.widths_px[usable]),
        "height_px": summarize_values(rows.heights_px[usable]),
        "text_length": summarize_values(rows.lengths[usable]),
    }


def summarize_values(values: NDArray[np.int64]) -> dict[str, int] | None:
    """Return minimum, median and maximum; None if there are no values."""
    if not len(values):
        return None
    return {"min": int(values.min()), "median": int(np.median(values)), "max": int(values.max())}

"""From facts to findings: the whole of what the doctor says, before anything is drawn."""

import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import SPLITS, Split
from htr_lightning.doctor import characters, leaks, lines, suspicious
from htr_lightning.doctor.facts import Facts, Settings, SplitFacts
from htr_lightning.doctor.finding import Finding, Verdict, in_order, verdict_of

REPORT_FORMAT = 1  # raise it when a key of report.json changes its meaning


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found in a data set.

    Attributes:
        title: what was looked at: the arguments of the command.
        facts: of all splits.
        settings: what the findings depend on.
        counts: how often each character stands in the usable texts of a split, once normalized.
        odd: the lines far from usual, the farthest first.
        findings: faults first.
    """

    title: str
    facts: Facts
    settings: Settings
    counts: dict[Split, Counter[str]]
    odd: list[suspicious.Odd]
    findings: list[Finding]

    @property
    def verdict(self) -> Verdict:
        """The judgment."""
        return verdict_of(self.findings)

    @property
    def charset(self) -> list[str]:
        """All characters, the most frequent first."""
        return [character for character, _ in sum(self.counts.values(), Counter[str]()).most_common()]


def diagnose(facts: Facts, settings: Settings, title: str = "") -> Diagnosis:
    """Find everything that can be found in ``facts``, which have all three splits."""
    counts = {
        split: characters.count_characters(facts[split].usable_texts(), settings.normalization) for split in SPLITS
    }
    odd = suspicious.odd_lines(facts)
    found = [
        *lines.too_few(facts),
        *lines.repeated_ids(facts),
        *lines.left_out(facts, settings),
        *leaks.shared_lines(facts, settings),
        *leaks.repeated_images(facts),
        *leaks.shared_groups(facts, settings),
        *leaks.repeated_texts(facts),
        *of_characters(facts, settings, counts),
        *suspicious.suspicious(facts, odd),
        *lines.faint(facts),
        *lines.sideways(facts),
        *lines.enlarged(facts, settings),
    ]
    return Diagnosis(title, facts, settings, counts, odd, in_order(found))


def of_characters(facts: Facts, settings: Settings, counts: dict[Split, Counter[str]]) -> list[Finding]:
    """Return the findings about the characters of the texts."""
    texts = {split: list(zip(rows.ids, rows.texts, strict=True)) for split, rows in facts.items()}
    return [
        *characters.outside_train(texts, counts, settings.known.union(counts["train"]), settings.normalization),
        *characters.lookalikes(texts, fonts=settings.groups_are_fonts),
        *characters.out_of_place(texts),
        *characters.not_composed(texts, settings.normalization),
        *characters.rare_in_train(counts),
    ]


def to_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return plain values for ``report.json``: everything that the page shows, and every line of each finding."""
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
        "splits": {split: summary(diagnosis.facts[split], diagnosis.counts[split]) for split in SPLITS},
        "findings": [
            {
                "key": finding.key,
                "severity": finding.severity,
                "title": finding.title,
                "count": finding.count,
                "remedy": finding.remedy,
                "lines": [{"split": line.split, "id": line.id, "why": line.why} for line in finding.lines],
            }
            for finding in diagnosis.findings
        ],
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


def summary(rows: SplitFacts, counts: Counter[str]) -> dict[str, Any]:
    """Return the figures of one split; the ranges are of the usable lines."""
    usable = rows.usable
    return {
        "lines": len(rows),
        "usable": int(usable.sum()),
        "groups": len(set(filter(None, rows.groups))),
        "characters": counts.total(),
        "charset": len(counts),
        "width_px": spread(rows.widths_px[usable]),
        "height_px": spread(rows.heights_px[usable]),
        "text_length": spread(rows.lengths[usable]),
    }


def spread(values: NDArray[np.int64]) -> dict[str, int] | None:
    """Return least, median and greatest; None of nothing."""
    if not len(values):
        return None
    return {"min": int(values.min()), "median": int(np.median(values)), "max": int(values.max())}

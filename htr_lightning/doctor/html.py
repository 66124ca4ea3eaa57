"""The doctor's report: a single HTML file without scripts or external resources."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from htr_lightning.data.line import SPLITS, Split
from htr_lightning.directions.scripts import group_by_script
from htr_lightning.doctor.charts import draw_density, draw_histogram
from htr_lightning.doctor.contact_sheet import LinePicture
from htr_lightning.doctor.diagnosis import Diagnosis, summarize_split
from htr_lightning.doctor.facts import CountFrames
from htr_lightning.doctor.outliers import describe_outlier
from htr_lightning.report.html import render_template

_MAX_LINES = 20  # that a finding names on the page; report.json has all
_MAX_OPEN = 5  # a list of so many lines is unfolded
_MAX_CHARACTERS = 600
_MAX_RINGS = 200


@dataclass(frozen=True, slots=True)
class CharacterCount:
    """A character, its Unicode name and how often each split has it."""

    character: str
    code_point: str
    name: str
    counts: Mapping[Split, int]


def render_page(diagnosis: Diagnosis, sheet: Mapping[str, Sequence[LinePicture]]) -> str:
    """Render the report.

    Args:
        diagnosis: of the dataset.
        sheet: pictures of lines, by heading (`htr_lightning.doctor.contact_sheet.draw_contact_sheet`).
    """
    characters = diagnosis.charset
    return render_template(
        "doctor/report.html.jinja",
        diagnosis=diagnosis,
        splits=SPLITS,
        summaries={split: summarize_split(diagnosis.facts[split], diagnosis.counts[split]) for split in SPLITS},
        num_findings=Counter(finding.severity for finding in diagnosis.findings),
        charts=_draw_charts(diagnosis),
        num_characters=len(characters),
        scripts={script: len(members) for script, members in group_by_script(characters).items()},
        characters=[_count_character(diagnosis, character) for character in characters[:_MAX_CHARACTERS]],
        sheet=sheet,
        max_lines=_MAX_LINES,
        max_open=_MAX_OPEN,
    )


def _count_character(diagnosis: Diagnosis, character: str) -> CharacterCount:
    counts = {split: diagnosis.counts[split][character] for split in SPLITS}
    return CharacterCount(character, f"U+{ord(character):04X}", unicodedata.name(character, "no name"), counts)


def _draw_charts(diagnosis: Diagnosis) -> Mapping[str, Markup]:
    """Draw the charts of all usable lines; there are none if no line is usable."""
    facts = {split: rows for split, rows in diagnosis.facts.items() if rows.usable.any()}
    if not facts:
        return {}
    group_sizes = {
        split: np.fromiter(Counter(filter(None, rows.groups)).values(), np.int64) for split, rows in facts.items()
    }
    return {
        "widths": draw_histogram({s: rows.widths_px[rows.usable] for s, rows in facts.items()}, "px"),
        "heights": draw_histogram({s: rows.heights_px[rows.usable] for s, rows in facts.items()}, "px"),
        "lengths": draw_histogram({s: rows.lengths[rows.usable] for s, rows in facts.items()}, "characters"),
        "group_sizes": draw_histogram(group_sizes, "lines"),
        "density": _draw_density(diagnosis),
    }


def _draw_density(diagnosis: Diagnosis) -> Markup:
    facts = diagnosis.facts
    lengths = np.concatenate([rows.lengths[rows.usable] for rows in facts.values()])
    widths = np.concatenate([rows.input_widths_px[rows.usable] for rows in facts.values()])
    outliers = [
        (
            int(facts[outlier.split].lengths[outlier.row]),
            int(facts[outlier.split].input_widths_px[outlier.row]),
            f"{facts[outlier.split].ids[outlier.row]}: {describe_outlier(facts, outlier)}",
        )
        for outlier in diagnosis.outliers[:_MAX_RINGS]
    ]
    limit = _compute_ctc_limit(diagnosis.settings.count_frames, int(lengths.max()), int(widths.max()))
    return draw_density(lengths, widths, outliers, ("characters", "px"), limit)


def _compute_ctc_limit(count_frames: CountFrames | None, max_length: int, max_width: int) -> list[tuple[int, int]]:
    """Return points (characters, px): the least width at which the model has a frame for each character."""
    if count_frames is None:
        return []
    lengths = np.arange(0, max_length + 1, max(1, max_length // 20))
    least = np.searchsorted(count_frames(np.arange(max_width + 1)), lengths)
    return [(int(length), int(width)) for length, width in zip(lengths, least, strict=True) if width <= max_width]

"""Outliers: lines whose text is much too long or too short for their image, usually because it is another line's.

The measure is the width per character, ``log(width / characters)`` of the preprocessed line. Its typical value depends
on the length of the text (margins weigh more in short ones) and on the writer, so both effects are subtracted. The
residual is divided by its spread among texts of that length: a robust z-score (median and median absolute deviation),
which the outliers themselves do not affect.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Split
from htr_lightning.doctor.facts import Facts
from htr_lightning.doctor.finding import AffectedLine, Finding
from htr_lightning.metrics import Floats
from htr_lightning.text import format_count

MIN_LINES = 20
"""With fewer lines, there is no typical value."""

_LINES_PER_BIN = 200  # of texts of similar length
_MIN_LINES_PER_GROUP = 8  # to estimate the effect of a writer
_MIN_SPREAD = 0.07  # print is so regular that any deviation would look like an outlier
_MIN_Z_SCORE = 4.5
_MIN_RATIO = 1.5  # outliers are also so many times wider or narrower than typical
_SUSPICIOUS_RATIO = 2.0  # beyond, neither the handwriting nor the cropping is a likely explanation
_MAD_TO_SIGMA = 1.4826  # from the median absolute deviation to the standard deviation of a normal distribution

Ints = NDArray[np.int64]


class Outlier(NamedTuple):
    """A line with an unusual width per character.

    Attributes:
        split: of the line.
        row: in that split.
        z_score: negative for narrow characters, that is, too much text.
        ratio: of its width per character to the typical one.
    """

    split: Split
    row: int
    z_score: float
    ratio: float

    @property
    def is_suspicious(self) -> bool:
        """Whether neither the handwriting nor the cropping is a likely explanation."""
        return not 1 / _SUSPICIOUS_RATIO < self.ratio < _SUSPICIOUS_RATIO


def find_outliers(facts: Facts) -> list[Outlier]:
    """Return the lines with an unusual width per character, the most unusual first."""
    places = [(split, row) for split, rows in facts.items() for row in np.flatnonzero(rows.usable).tolist()]
    if len(places) < MIN_LINES:
        return []
    widths = np.concatenate([rows.input_widths_px[rows.usable] for rows in facts.values()])
    lengths = np.concatenate([rows.lengths[rows.usable] for rows in facts.values()])
    index_of = {"": -1}
    names = (facts[split].groups[row] for split, row in places)
    groups = np.fromiter((index_of.setdefault(name, len(index_of)) for name in names), np.int64, len(places))
    residuals, z_scores = compute_z_scores(widths, lengths, groups)
    unusual = np.flatnonzero((np.abs(z_scores) > _MIN_Z_SCORE) & (np.abs(residuals) > np.log(_MIN_RATIO)))
    outliers = [Outlier(*places[i], float(z_scores[i]), float(np.exp(residuals[i]))) for i in unusual]
    return sorted(outliers, key=lambda outlier: -abs(outlier.z_score))


def compute_z_scores(widths: Ints, lengths: Ints, groups: Ints) -> tuple[Floats, Floats]:
    """Compute how far the width per character is from the typical one for texts of that length and for that writer.

    Args:
        widths: of the n lines in px, ``(n,)``, at least 1.
        lengths: of their texts, ``(n,)``, at least 1.
        groups: indices of their groups, ``(n,)``; -1 for a line without one.

    Returns:
        The residuals of ``log(width / characters)``, and their z-scores, both ``(n,)``.
    """
    residuals = np.log(widths / lengths)
    residuals -= np.median(residuals)
    bins = _bin_lengths(lengths)
    writers = [rows for rows in _group_rows(groups) if groups[rows[0]] >= 0 and len(rows) >= _MIN_LINES_PER_GROUP]
    spread = np.zeros(len(residuals))
    for rows in (*writers, *bins, *writers, *bins):  # median polish (Tukey 1977)
        residuals[rows] -= np.median(residuals[rows])
    for rows in bins:
        spread[rows] = max(_MIN_SPREAD, _MAD_TO_SIGMA * float(np.median(np.abs(residuals[rows]))))
    return residuals, residuals / spread


def _bin_lengths(lengths: Ints) -> list[Ints]:
    """Divide rows into bins of texts of similar length; texts of equal length share a bin."""
    number = max(1, len(lengths) // _LINES_PER_BIN)
    edges = np.unique(np.quantile(lengths, np.arange(1, number) / number))
    return _group_rows(np.searchsorted(edges, lengths, "left"))


def _group_rows(values: Ints) -> list[Ints]:
    """Return the rows of each value."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    return np.split(order, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1)


def report_outliers(facts: Facts, outliers: list[Outlier]) -> list[Finding]:
    """Report suspicious outliers as a warning, and the others as a note."""
    suspicious = [outlier for outlier in outliers if outlier.is_suspicious]
    others = [outlier for outlier in outliers if not outlier.is_suspicious]
    findings = []
    if suspicious:
        number = len(suspicious)
        title = f"{format_count(number, 'line has', 'lines have')} far more or far less text than fits the image"
        remedy = "check their images (--out FOLDER draws them): the text of another line, missing text, or two lines?"
        lines = _list_lines(facts, suspicious)
        findings.append(Finding("suspicious_lines", "warning", title, number, remedy, lines))
    if others:
        number = len(others)
        title = f"{format_count(number, 'line has', 'lines have')} unusual proportions"
        remedy = "check their images (--out FOLDER draws them): cropped too high, in capitals, or with empty margins?"
        findings.append(Finding("unusual_proportions", "note", title, number, remedy, _list_lines(facts, others)))
    return findings


def _list_lines(facts: Facts, outliers: list[Outlier]) -> list[AffectedLine]:
    return [AffectedLine(o.split, facts[o.split].ids[o.row], describe_outlier(facts, o)) for o in outliers]


def describe_outlier(facts: Facts, outlier: Outlier) -> str:
    """Describe how a line is unusual."""
    rows = facts[outlier.split]
    what = "narrower" if outlier.ratio < 1 else "wider"
    ratio = max(outlier.ratio, 1 / outlier.ratio)
    length = format_count(int(rows.lengths[outlier.row]), "character")
    width = rows.input_widths_px[outlier.row]
    return f"{length} in {width:,} px, each {ratio:.1f} times {what} than usual (z {outlier.z_score:+.1f})"

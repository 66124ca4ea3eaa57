"""Lines whose text is much too long or too short for their image: as a rule, the text is another line's.

The measure is the width of a character, ``log(width / characters)`` of the preprocessed line. What is usual depends
on the length of the text (margins weigh more in short ones) and on the hand, so both are taken off first. The rest is
divided by its spread among texts of that length: a robust z-score (median and median absolute deviation), which the
odd ones do not shift.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from htr_lightning.data.line import Split
from htr_lightning.doctor.facts import Facts
from htr_lightning.doctor.finding import Finding, Named
from htr_lightning.text import format_count

MIN_LINES = 20
"""With fewer lines, nothing is usual."""

_LINES_PER_BIN = 200  # of texts of like length
_LINES_PER_GROUP = 8  # of a hand, from which its own width of a character is known
_LEAST_SPREAD = 0.07  # print is so even that any deviation would look odd
_ODD = 4.5  # z-score
_FACTOR = 1.5  # ... of lines whose characters are also so many times wider or narrower than usual
_WRONG_FACTOR = 2.0  # beyond that, neither the hand nor the cut explains it
_TO_SIGMA = 1.4826  # median absolute deviation -> standard deviation of a normal distribution

Floats = NDArray[np.float64]


class Odd(NamedTuple):
    """A line that is far from usual.

    Attributes:
        split: where it is.
        row: in that split.
        score: z-score; negative for narrow characters: too much text.
        factor: width of a character over the usual one.
    """

    split: Split
    row: int
    score: float
    factor: float

    @property
    def is_wrong(self) -> bool:
        """Whether neither the hand nor the way it was cut out is likely to explain it."""
        return not 1 / _WRONG_FACTOR < self.factor < _WRONG_FACTOR


def odd_lines(facts: Facts) -> list[Odd]:
    """Return the lines that are far from usual, the farthest first."""
    places = [(split, row) for split, rows in facts.items() for row in np.flatnonzero(rows.usable).tolist()]
    if len(places) < MIN_LINES:
        return []
    widths = np.concatenate([rows.line_px[rows.usable] for rows in facts.values()])
    lengths = np.concatenate([rows.lengths[rows.usable] for rows in facts.values()])
    number_of = {"": -1}
    names = (facts[split].groups[row] for split, row in places)
    groups = np.fromiter((number_of.setdefault(name, len(number_of)) for name in names), np.int64, len(places))
    rest, scores = unusual(widths, lengths, groups)
    far = np.flatnonzero((np.abs(scores) > _ODD) & (np.abs(rest) > np.log(_FACTOR)))
    odd = [Odd(*places[i], float(scores[i]), float(np.exp(rest[i]))) for i in far]
    return sorted(odd, key=lambda line: -abs(line.score))


def unusual(widths: NDArray[np.int64], lengths: NDArray[np.int64], groups: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Measure how far the width of a character is from what is usual for texts of that length and for that hand.

    Args:
        widths: of the lines in pixels, ``(n,)``, at least 1.
        lengths: of their texts, at least 1.
        groups: numbers of the groups; -1 for a line without one.

    Returns:
        What is left of ``log(width / characters)``, and its z-scores.
    """
    rest = np.log(widths / lengths)
    rest -= np.median(rest)
    bins = _bins(lengths)
    hands = [rows for rows in _by_value(groups) if groups[rows[0]] >= 0 and len(rows) >= _LINES_PER_GROUP]
    spread = np.zeros(len(rest))
    for rows in (*hands, *bins, *hands, *bins):  # median polish (Tukey 1977): what a hand is, all lengths agree on
        rest[rows] -= np.median(rest[rows])
    for rows in bins:
        spread[rows] = max(_LEAST_SPREAD, _TO_SIGMA * float(np.median(np.abs(rest[rows]))))
    return rest, rest / spread


def _bins(lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Divide rows into texts of like length; all texts of one length go together."""
    number = max(1, len(lengths) // _LINES_PER_BIN)
    edges = np.unique(np.quantile(lengths, np.arange(1, number) / number))
    return _by_value(np.searchsorted(edges, lengths, "left"))


def _by_value(values: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the rows of each value."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    return np.split(order, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1)


def suspicious(facts: Facts, odd: list[Odd]) -> list[Finding]:
    """Report the lines that are far from usual: those twice as wide or narrow as a warning, the others as a note."""
    wrong = [line for line in odd if line.is_wrong]
    others = [line for line in odd if not line.is_wrong]
    findings = []
    if wrong:
        title = f"{format_count(len(wrong), 'line has', 'lines have')} far more or far less text than fits the image"
        remedy = "look at them (--out FOLDER draws them): the text of another line, a part left out, two lines in one?"
        findings.append(Finding("suspicious_lines", "warning", title, len(wrong), remedy, _named(facts, wrong)))
    if others:
        title = f"{format_count(len(others), 'line is', 'lines are')} written or cut unlike the others"
        remedy = "look at them (--out FOLDER draws them): cut too high, in capitals, or with empty space?"
        findings.append(Finding("odd_proportions", "note", title, len(others), remedy, _named(facts, others)))
    return findings


def _named(facts: Facts, odd: list[Odd]) -> list[Named]:
    return [Named(line.split, facts[line.split].ids[line.row], reason_of(facts, line)) for line in odd]


def reason_of(facts: Facts, line: Odd) -> str:
    """Say what is odd about a line."""
    rows = facts[line.split]
    what = "narrower" if line.factor < 1 else "wider"
    factor = max(line.factor, 1 / line.factor)
    length = format_count(int(rows.lengths[line.row]), "character")
    return f"{length} in {rows.line_px[line.row]:,} px, each {factor:.1f} times {what} than usual (z {line.score:+.1f})"

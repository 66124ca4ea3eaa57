"""The order of work: the most useful lines first, and the error rate on lines that chance has chosen."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from htr_lightning.correction.page import CHANCE_FRACTION, CONFIRMED, ProjectPage, draw_lot
from htr_lightning.correction.project import Project
from htr_lightning.evaluation.intervals import compute_rate_interval

BATCH_LINES = 16
_EVERY = 5  # each fifth line of a batch is chosen by chance
_GRAM = 3
_MIN_TEXT = 4  # characters; shorter lines teach little


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """A line that nobody has confirmed.

    Attributes:
        page: key of its page.
        line: its id.
        text: its present text.
        doubt: mean probability that one of its characters is wrong.
    """

    page: str
    line: str
    text: str
    doubt: float

    @property
    def lot(self) -> float:
        """The number that chance has given to the line."""
        return draw_lot(self.page, self.line)


def choose_lines(project: Project, number: int = BATCH_LINES) -> list[tuple[str, str]]:
    """Choose the lines to work on next: each fifth by chance, the others by doubt x novelty.

    A fixed fifth of all lines, by the hash of their ids, is set aside: the lines chosen by chance come from it, in
    random order, and no others. So they are a fair sample of the whole, and their error rate is that of the model on
    the project; no model learns from them.

    Returns:
        Key of the page and id of each line.
    """
    with project.lock:
        waiting = [line for page in project.pages.values() for line in _list_waiting(page)]
        known = Counter(gram for _, _, text in project.confirmed_lines() for gram in split_grams(text))
    by_chance = sorted((line for line in waiting if line.lot < CHANCE_FRACTION), key=lambda line: line.lot)
    others = [line for line in waiting if line.lot >= CHANCE_FRACTION]
    num_chance = min(len(by_chance), max(number // _EVERY, number - len(others)))
    useful = choose_useful(others, known, number - num_chance)
    chosen: list[tuple[str, str]] = []
    rest = by_chance[:num_chance]
    for place in range(1, len(useful) + len(rest) + 1):
        source = rest if rest and (place % _EVERY == 0 or not useful) else useful
        line = source.pop(0)
        chosen.append((line.page, line.line))
    return chosen


def choose_useful(lines: Sequence[WaitingLine], known: Counter[str], number: int) -> list[WaitingLine]:
    """Choose lines greedily by doubt x novelty, the most useful first.

    Novelty is the mean of ``1 / (1 + count)`` over the character trigrams of a line, counted in confirmed lines and in
    those chosen before it, so that a batch is varied.

    Args:
        lines: to choose from.
        known: how often each trigram occurs in confirmed lines.
        number: of lines to choose.
    """
    counts = Counter(known)
    grams = {id(line): split_grams(line.text) for line in lines}
    left = sorted((line for line in lines if len(line.text) >= _MIN_TEXT), key=lambda line: -line.doubt)
    short = sorted((line for line in lines if len(line.text) < _MIN_TEXT), key=lambda line: -line.doubt)
    chosen: list[WaitingLine] = []
    while left and len(chosen) < number:
        best = max(left[: 40 * number], key=lambda line: line.doubt * measure_novelty(grams[id(line)], counts))
        chosen.append(best)
        left.remove(best)
        counts.update(grams[id(best)])
    return chosen + short[: number - len(chosen)]


def measure_novelty(grams: Iterable[str], counts: Counter[str]) -> float:
    """Return the mean of ``1 / (1 + count)`` over trigrams; 0 without any."""
    values = [1 / (1 + counts[gram]) for gram in grams]
    return sum(values) / len(values) if values else 0.0


def split_grams(text: str) -> list[str]:
    """Return the character trigrams of a text, with its ends."""
    padded = f" {text.lower()} "
    return [padded[i : i + _GRAM] for i in range(len(padded) - _GRAM + 1)]


def _list_waiting(page: ProjectPage) -> list[WaitingLine]:
    return [
        WaitingLine(page.key, line, page.show_text(line), page.readings[line].doubt)
        for line in page.line_ids
        if page.get_state(line) != CONFIRMED and line in page.readings and not page.readings[line].problem
    ]


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """A character error rate.

    Attributes:
        num_lines: on which it was measured.
        cer: edits divided by the length of the references.
        low: lower bound of its 95 % interval; NaN for a single line.
        high: upper bound.
    """

    num_lines: int
    cer: float
    low: float
    high: float


def compute_cer(pairs: Sequence[tuple[str, str]]) -> ErrorRate | None:
    """Compute the character error rate of (prediction, reference) pairs, resampling lines; None without any."""
    if not pairs:
        return None
    edits = [Levenshtein.distance(prediction, reference) for prediction, reference in pairs]
    lengths = [len(reference) for _, reference in pairs]
    low, high = compute_rate_interval(edits, lengths)
    return ErrorRate(len(pairs), sum(edits) / max(1, sum(lengths)), low, high)


def measure_by_chance(project: Project) -> ErrorRate | None:
    """Return the error rate of the present model on the confirmed lines that chance has chosen; None without any."""
    pairs = []
    with project.lock:
        for page, shape, text in project.confirmed_lines():
            known = page.texts[shape.id]
            is_chosen = draw_lot(page.key, shape.id) < CHANCE_FRACTION
            if is_chosen and known.predicted is not None and known.model == project.model:
                pairs.append((known.predicted, text))
    return compute_cer(pairs)

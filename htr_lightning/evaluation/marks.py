"""What was read beside what is written, with the errors marked."""

from itertools import groupby

from htr_lightning.evaluation.lines import KINDS, Kind, ScoredLine
from htr_lightning.report.html import shown

_CLASS: dict[Kind, str] = {"insertion": "ins", "deletion": "del", "substitution": "sub"}


def marked(line: ScoredLine) -> tuple[str, str]:
    """Return reference and hypothesis as HTML.

    Deletions are marked in the reference, insertions in the hypothesis, substitutions in both; a marked space is
    shown as ``␣``.
    """
    written: dict[int, Kind] = {e.written: e.kind for e in line.edits if e.kind != "insertion"}
    read: dict[int, Kind] = {e.read: e.kind for e in line.edits if e.kind != "deletion"}
    return _marked(line.reference, written), _marked(line.hypothesis, read)


def _marked(text: str, kinds: dict[int, Kind]) -> str:
    parts = []
    for kind, run in groupby(enumerate(text), lambda item: kinds.get(item[0])):
        piece = "".join(character for _, character in run)
        if kind is None:
            parts.append(shown(piece))
        else:
            parts.append(f'<mark class="{_CLASS[kind]}">{shown(piece.replace(" ", "␣"))}</mark>')
    return "".join(parts)


def legend() -> str:
    """Return what the marks mean."""
    return " ".join(f'<mark class="{_CLASS[kind]}">{kind}</mark>' for kind in KINDS)

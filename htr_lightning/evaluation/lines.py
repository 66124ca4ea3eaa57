"""One line that was read, and everything that is counted in it."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rapidfuzz.distance import Levenshtein

from htr_lightning.metrics import edit_distance
from htr_lightning.text import Normalization, normalize, tokenize

Kind = Literal["insertion", "deletion", "substitution"]
KINDS: tuple[Kind, ...] = ("insertion", "deletion", "substitution")
_KIND_OF: dict[str, Kind] = {"insert": "insertion", "delete": "deletion", "replace": "substitution"}


class Edit(NamedTuple):
    """An error in a line.

    Attributes:
        kind: ``insertion``: read, but not written; ``deletion``: written, but not read.
        written: place in the reference; of an insertion, what it stands before.
        read: place in the hypothesis; of a deletion, what is missing before it.
    """

    kind: Kind
    written: int
    read: int


class Rate(NamedTuple):
    """The two sides of an error rate: edits, and the length of the reference in whatever is counted."""

    edits: int
    length: int


def without_case(text: str) -> str:
    """Make all letters small, and those alike that differ in nothing else (Unicode's full case folding)."""
    return text.casefold()


def without_accents(text: str) -> str:
    """Take off accents and all other non-spacing marks; letters that have no decomposition (ø, œ) stay."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if unicodedata.category(c) != "Mn"))


VARIANTS: dict[str, Callable[[str], str]] = {
    "ignoring_case": without_case,
    "ignoring_accents": without_accents,
    "ignoring_case_and_accents": lambda text: without_accents(without_case(text)),
}
"""What may be held for the same; both texts are brought to it before they are compared."""

RATES = ("cer", "wer", "wer_tokens", *(f"{rate}_{name}" for name in VARIANTS for rate in ("cer", "wer")))
"""The error rates of every line: see `htr_lightning.metrics`."""


@dataclass(frozen=True, slots=True)
class ScoredLine:
    """A line that was read.

    Attributes:
        id: of the line.
        group: its writer or page; empty for none.
        reference: what it says, normalized.
        hypothesis: what was read, normalized.
        confidence: of the reading, 0..1.
        edits: the fewest that turn one into the other, from left to right.
        rates: edits and lengths, by the names in `RATES`.
    """

    id: str
    group: str
    reference: str
    hypothesis: str
    confidence: float
    edits: tuple[Edit, ...]
    rates: Mapping[str, Rate]

    @property
    def is_correct(self) -> bool:
        """Whether every character is right."""
        return not self.edits

    @property
    def cer(self) -> float:
        """Its own character error rate."""
        return len(self.edits) / max(1, len(self.reference))

    def count(self, kind: Kind) -> int:
        """Count the edits of a kind."""
        return sum(edit.kind == kind for edit in self.edits)

    def wrong(self) -> set[int]:
        """Return the places in the hypothesis that are substituted or inserted."""
        return {edit.read for edit in self.edits if edit.kind != "deletion"}


def score_line(
    id: str, group: str, reference: str, hypothesis: str, confidence: float, normalization: Normalization = "NFC"
) -> ScoredLine:
    """Align a hypothesis with its reference, and count."""
    reference, hypothesis = normalize(reference, normalization), normalize(hypothesis, normalization)
    operations = () if reference == hypothesis else Levenshtein.editops(reference, hypothesis)
    edits = tuple(Edit(_KIND_OF[op.tag], op.src_pos, op.dest_pos) for op in operations)
    return ScoredLine(id, group, reference, hypothesis, confidence, edits, rates_of(reference, hypothesis, len(edits)))


def rates_of(reference: str, hypothesis: str, edits: int) -> dict[str, Rate]:
    """Count what all error rates of a line are made of; ``edits`` between the characters are known already."""
    rates = {
        "cer": Rate(edits, len(reference)),
        "wer": _rate(reference.split(), hypothesis.split()),
        "wer_tokens": _rate(tokenize(reference), tokenize(hypothesis)),
    }
    for name, fold in VARIANTS.items():
        written, read = fold(reference), fold(hypothesis)
        rates[f"cer_{name}"] = _rate(written, read)
        rates[f"wer_{name}"] = _rate(written.split(), read.split())
    return rates


def _rate(reference: Sequence[str], hypothesis: Sequence[str]) -> Rate:
    return Rate(0 if reference == hypothesis else edit_distance(reference, hypothesis), len(reference))

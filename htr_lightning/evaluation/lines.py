"""A predicted line aligned with its reference, and its error counts."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

from htr_lightning.metrics import compute_error_rate, edit_distance
from htr_lightning.text import Normalization, normalize, tokenize

EditKind = Literal["insertion", "deletion", "substitution"]
EDIT_KINDS: tuple[EditKind, ...] = ("insertion", "deletion", "substitution")
_KIND_OF_TAG: dict[str, EditKind] = {"insert": "insertion", "delete": "deletion", "replace": "substitution"}


class Edit(NamedTuple):
    """An error in a line.

    Attributes:
        kind: an ``insertion`` is only in the hypothesis, a ``deletion`` only in the reference.
        reference_index: position in the reference; of an insertion, of the character after it.
        hypothesis_index: position in the hypothesis; of a deletion, of the character after it.
    """

    kind: EditKind
    reference_index: int
    hypothesis_index: int


class ErrorCount(NamedTuple):
    """The numerator and denominator of an error rate: edits, and length of the reference in the same unit."""

    edits: int
    length: int


def fold_case(text: str) -> str:
    """Remove distinctions of case (Unicode full case folding)."""
    return text.casefold()


def strip_accents(text: str) -> str:
    """Remove accents and all other non-spacing marks; letters without a decomposition (ø, œ) stay."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if unicodedata.category(c) != "Mn"))


VARIANTS: dict[str, Callable[[str], str]] = {
    "ignoring_case": fold_case,
    "ignoring_accents": strip_accents,
    "ignoring_case_and_accents": lambda text: strip_accents(fold_case(text)),
}
"""Lenient variants of CER and WER, and the function that both texts pass through before they are compared."""

ERROR_RATES = ("cer", "wer", "wer_tokens", *(f"{rate}_{name}" for name in VARIANTS for rate in ("cer", "wer")))
"""Names of all error rates; `htr_lightning.metrics` defines the first three."""


@dataclass(frozen=True, slots=True)
class ScoredLine:
    """A predicted line aligned with its reference.

    Attributes:
        id: of the line.
        group: its writer or page; empty if unknown.
        reference: its transcription, normalized.
        hypothesis: its prediction, normalized.
        confidence: of the prediction, 0..1.
        edits: a shortest sequence of edits between the two texts, from left to right.
        errors: edits and lengths, by the names in `ERROR_RATES`.
    """

    id: str
    group: str
    reference: str
    hypothesis: str
    confidence: float
    edits: tuple[Edit, ...]
    errors: Mapping[str, ErrorCount]

    @property
    def is_correct(self) -> bool:
        """Whether every character is correct."""
        return not self.edits

    @property
    def cer(self) -> float:
        """The character error rate of this line alone."""
        return float(compute_error_rate(np.asarray(len(self.edits)), np.asarray(len(self.reference))))

    def count_edits(self, kind: EditKind) -> int:
        """Count the edits of a kind."""
        return sum(edit.kind == kind for edit in self.edits)

    def find_wrong_characters(self) -> set[int]:
        """Return the positions in the hypothesis of substituted and inserted characters."""
        return {edit.hypothesis_index for edit in self.edits if edit.kind != "deletion"}


def score_line(
    id: str, group: str, reference: str, hypothesis: str, confidence: float, normalization: Normalization = "NFC"
) -> ScoredLine:
    """Align a hypothesis with its reference (Levenshtein 1966), and count the errors."""
    reference, hypothesis = normalize(reference, normalization), normalize(hypothesis, normalization)
    operations = () if reference == hypothesis else Levenshtein.editops(reference, hypothesis)
    edits = tuple(Edit(_KIND_OF_TAG[op.tag], op.src_pos, op.dest_pos) for op in operations)
    errors = count_errors(reference, hypothesis, len(edits))
    return ScoredLine(id, group, reference, hypothesis, confidence, edits, errors)


def count_errors(reference: str, hypothesis: str, num_edits: int) -> dict[str, ErrorCount]:
    """Count edits and lengths for each of `ERROR_RATES`.

    Args:
        reference: normalized.
        hypothesis: normalized.
        num_edits: edit distance of the two texts, which is already known.
    """
    errors = {
        "cer": ErrorCount(num_edits, len(reference)),
        "wer": _compare(reference.split(), hypothesis.split()),
        "wer_tokens": _compare(tokenize(reference), tokenize(hypothesis)),
    }
    for name, fold in VARIANTS.items():
        folded_reference, folded_hypothesis = fold(reference), fold(hypothesis)
        errors[f"cer_{name}"] = _compare(folded_reference, folded_hypothesis)
        errors[f"wer_{name}"] = _compare(folded_reference.split(), folded_hypothesis.split())
    return errors


def _compare(reference: Sequence[str], hypothesis: Sequence[str]) -> ErrorCount:
    return ErrorCount(0 if reference == hypothesis else edit_distance(reference, hypothesis), len(reference))

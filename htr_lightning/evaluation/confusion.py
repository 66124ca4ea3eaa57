"""Confusions of characters: which are substituted by which, deleted or inserted."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from htr_lightning.evaluation.lines import ScoredLine

Pair = tuple[str, str]
"""A character of the reference, and the one predicted instead."""


@dataclass(slots=True)
class Confusions:
    """Errors by character.

    Attributes:
        occurrences: of each character in the references.
        substitutions: by pair.
        deletions: of each character of the references.
        insertions: of each character of the hypotheses.
    """

    occurrences: Counter[str] = field(default_factory=Counter)
    substitutions: Counter[Pair] = field(default_factory=Counter)
    deletions: Counter[str] = field(default_factory=Counter)
    insertions: Counter[str] = field(default_factory=Counter)

    def add(self, line: ScoredLine) -> None:
        """Count the errors of a line."""
        self.occurrences.update(line.reference)
        for edit in line.edits:
            if edit.kind == "substitution":
                pair = line.reference[edit.reference_index], line.hypothesis[edit.hypothesis_index]
                self.substitutions[pair] += 1
            elif edit.kind == "deletion":
                self.deletions[line.reference[edit.reference_index]] += 1
            else:
                self.insertions[line.hypothesis[edit.hypothesis_index]] += 1

    def count_matches(self, character: str) -> int:
        """Count how often a character was predicted correctly."""
        substituted = sum(count for (reference, _), count in self.substitutions.items() if reference == character)
        return self.occurrences[character] - self.deletions[character] - substituted

    def count_errors(self) -> Counter[str]:
        """Count the errors that involve each character, in the reference or in the hypothesis."""
        counts = self.deletions + self.insertions
        for (reference, hypothesis), count in self.substitutions.items():
            counts[reference] += count
            counts[hypothesis] += count
        return counts


def count_confusions(lines: Iterable[ScoredLine]) -> Confusions:
    """Count the errors of lines by character."""
    confusions = Confusions()
    for line in lines:
        confusions.add(line)
    return confusions


def find_most_confused(confusions: Confusions, number: int) -> list[str]:
    """Return the characters with the most errors, sorted so that letters are next to their accented forms."""
    ranked = sorted(confusions.count_errors().items(), key=lambda item: (-item[1], item[0]))
    return sorted((character for character, _ in ranked[:number]), key=_get_sort_key)


def rank_pairs(confusions: Confusions) -> list[tuple[Pair, int]]:
    """Return all substitutions, the most frequent first."""
    return sorted(confusions.substitutions.items(), key=lambda item: (-item[1], item[0]))


def _get_sort_key(character: str) -> tuple[bool, str, str]:
    letter = unicodedata.normalize("NFD", character)[0].casefold()
    return not letter.isalnum(), letter, character

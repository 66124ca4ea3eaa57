"""Which characters are taken for which."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from htr_lightning.evaluation.lines import ScoredLine

Pair = tuple[str, str]
"""A character that is written, and the one that was read in its place."""


@dataclass(slots=True)
class Confusions:
    """Errors by character.

    Attributes:
        written: how often each character stands in the references.
        substitutions: by pair.
        deletions: how often each character was not read.
        insertions: how often each character was read where nothing is written.
    """

    written: Counter[str] = field(default_factory=Counter)
    substitutions: Counter[Pair] = field(default_factory=Counter)
    deletions: Counter[str] = field(default_factory=Counter)
    insertions: Counter[str] = field(default_factory=Counter)

    def add(self, line: ScoredLine) -> None:
        """Count the errors of a line."""
        self.written.update(line.reference)
        for edit in line.edits:
            if edit.kind == "substitution":
                self.substitutions[line.reference[edit.written], line.hypothesis[edit.read]] += 1
            elif edit.kind == "deletion":
                self.deletions[line.reference[edit.written]] += 1
            else:
                self.insertions[line.hypothesis[edit.read]] += 1

    def matches(self, character: str) -> int:
        """Count how often a character was read rightly."""
        confused = sum(count for (written, _), count in self.substitutions.items() if written == character)
        return self.written[character] - self.deletions[character] - confused

    def errors(self) -> Counter[str]:
        """Count the errors that each character takes part in, on either side."""
        counts = self.deletions + self.insertions
        for (written, read), count in self.substitutions.items():
            counts[written] += count
            counts[read] += count
        return counts


def confusions_of(lines: Iterable[ScoredLine]) -> Confusions:
    """Count the errors of lines."""
    confusions = Confusions()
    for line in lines:
        confusions.add(line)
    return confusions


def most_confused(confusions: Confusions, number: int) -> list[str]:
    """Return the characters with the most errors, ordered so that those of one letter stand side by side."""
    ranked = sorted(confusions.errors().items(), key=lambda item: (-item[1], item[0]))
    return sorted((character for character, _ in ranked[:number]), key=_place)


def ranked_pairs(confusions: Confusions) -> list[tuple[Pair, int]]:
    """Return all substitutions, the most frequent first."""
    return sorted(confusions.substitutions.items(), key=lambda item: (-item[1], item[0]))


def _place(character: str) -> tuple[bool, str, str]:
    letter = unicodedata.normalize("NFD", character)[0].casefold()
    return not letter.isalnum(), letter, character

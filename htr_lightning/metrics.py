"""Error rates of hypotheses against references, as pure functions (`htr_lightning.training.metrics` accumulates them).

Definitions, over a whole set of lines:

- *Edits* are the minimum number of insertions, deletions and substitutions (Levenshtein 1966) that turn the
  hypothesis into the reference. Characters are Unicode code points, after both texts have been normalized to the
  same form; *words* are separated by whitespace.
- *Tokens* are words and punctuation marks, separated by `tokenize`: ``l'eau.`` is one word, but four tokens. A wrong
  full stop makes the preceding word wrong in `wer`, but not in `wer_tokens`.
- An *error rate* is the number of all edits divided by the length of all references, so long lines weigh more.
  It exceeds 1 if the hypotheses are much longer than the references. If all references are empty, it is 0 without
  edits and 1 with edits: finite, as logs and sweeps require.
- For *precision* and *recall*, the edits align the characters of both texts. A match is a true positive of its class;
  a substitution is a false negative of the reference's class and a false positive of the hypothesis's; a deletion is
  a false negative; an insertion is a false positive. A quotient 0/0 is 0, except that all scores are 1 if neither
  side has any characters, where the error rate is 0.
"""

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from htr_lightning.text import Normalization, normalize, tokenize


def edit_distance(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Return the number of edits between two texts, or between two lists of words."""
    return Levenshtein.distance(reference, hypothesis)


def cer(references: Sequence[str], hypotheses: Sequence[str], normalization: Normalization = "NFC") -> float:
    """Return the character error rate of a set of lines (defined in the module docstring); lower is better.

    Raises:
        ValueError: the numbers of references and hypotheses differ.
    """
    return _rate(*_count_character_edits(normalize_pairs(references, hypotheses, normalization)))


def wer(references: Sequence[str], hypotheses: Sequence[str], normalization: Normalization = "NFC") -> float:
    """Return the word error rate of a set of lines (defined in the module docstring); lower is better.

    Raises:
        ValueError: the numbers of references and hypotheses differ.
    """
    return _rate(*count_word_edits(normalize_pairs(references, hypotheses, normalization)))


def wer_tokens(references: Sequence[str], hypotheses: Sequence[str], normalization: Normalization = "NFC") -> float:
    """Return the token error rate of a set of lines (defined in the module docstring); lower is better.

    Raises:
        ValueError: the numbers of references and hypotheses differ.
    """
    tokens = [(tokenize(r), tokenize(h)) for r, h in normalize_pairs(references, hypotheses, normalization)]
    return _rate(sum(edit_distance(r, h) for r, h in tokens), sum(len(r) for r, _ in tokens))


def normalize_pairs(
    references: Sequence[str], hypotheses: Sequence[str], normalization: Normalization
) -> list[tuple[str, str]]:
    """Normalize references and hypotheses, and pair them.

    Raises:
        ValueError: the numbers of references and hypotheses differ, or one of them is a single text.
    """
    for name, texts in (("references", references), ("hypotheses", hypotheses)):
        if isinstance(texts, str):  # its characters would be taken for lines
            raise ValueError(f"{name}: expected a list of texts, got the single text {texts!r}")
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references, but {len(hypotheses)} hypotheses; give one for each line")
    return [
        (normalize(r, normalization), normalize(h, normalization)) for r, h in zip(references, hypotheses, strict=True)
    ]


def _count_character_edits(pairs: list[tuple[str, str]]) -> tuple[int, int]:
    """Return the number of edits and the number of characters in the references."""
    return sum(edit_distance(r, h) for r, h in pairs), sum(len(r) for r, _ in pairs)


def count_word_edits(pairs: list[tuple[str, str]]) -> tuple[int, int]:
    """Return the number of edits and the number of words in the references."""
    words = [(r.split(), h.split()) for r, h in pairs]
    return sum(edit_distance(r, h) for r, h in words), sum(len(r) for r, _ in words)


def _rate(edits: int, length: int) -> float:
    return edits / length if length else float(edits > 0)

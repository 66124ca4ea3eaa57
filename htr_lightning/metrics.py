"""How well hypotheses agree with references: pure functions (`htr_lightning.training.metrics` accumulates them).

Definitions, over a whole set of lines:

- *Edits* are insertions, deletions and substitutions (Levenshtein 1966), the fewest that turn the hypothesis
  into the reference. Characters are the Unicode code points of the texts, both first brought to the same
  normalization form; *words* are what whitespace separates.
- *Tokens* are words and punctuation marks apart (`tokenize`): ``l'eau.`` is one word, but four tokens. An error
  in a full stop makes the word before it wrong for `wer`, though not for `wer_tokens`.
- An *error rate* is all edits divided by the length of all references, so that long lines weigh more.
  It exceeds 1 if the hypotheses are much longer than the references. Where all references are empty, it is
  0 without and 1 with edits: finite, as logs and sweeps need it.
- For *precision* and *recall*, the characters of the two texts are aligned by those edits. A matched
  character is a true positive of its class, a substitution a false negative of the reference's class and a
  false positive of the hypothesis's, a deletion a false negative, an insertion a false positive. A quotient
  0/0 is 0, except that all scores are 1 where neither side has any character, as the error rate is 0 there.
"""

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from htr_lightning.text import Normalization, normalize, tokenize


def edit_distance(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Count the edits between two texts, or between two lists of words."""
    return Levenshtein.distance(reference, hypothesis)


def cer(references: Sequence[str], hypotheses: Sequence[str], normalization: Normalization = "NFC") -> float:
    """Character error rate of a set of lines (see the module for its definition): 0 is best.

    Raises:
        ValueError: the two sides differ in number.
    """
    return _rate(*_count_character_edits(normalize_pairs(references, hypotheses, normalization)))


def wer(references: Sequence[str], hypotheses: Sequence[str], normalization: Normalization = "NFC") -> float:
    """Word error rate of a set of lines (see the module for its definition): 0 is best.

    Raises:
        ValueError: the two sides differ in number.
    """
    return _rate(*count_word_edits(normalize_pairs(references, hypotheses, normalization)))


def wer_tokens(references: Sequence[str], hypotheses: Sequence[str], normalization: Normalization = "NFC") -> float:
    """Error rate of the tokens of a set of lines, words and punctuation marks apart (see the module): 0 is best.

    Raises:
        ValueError: the two sides differ in number.
    """
    tokens = [(tokenize(r), tokenize(h)) for r, h in normalize_pairs(references, hypotheses, normalization)]
    return _rate(sum(edit_distance(r, h) for r, h in tokens), sum(len(r) for r, _ in tokens))


def normalize_pairs(
    references: Sequence[str], hypotheses: Sequence[str], normalization: Normalization
) -> list[tuple[str, str]]:
    """Pair the texts of both sides, normalized."""
    for name, texts in (("references", references), ("hypotheses", hypotheses)):
        if isinstance(texts, str):  # its characters would pass for lines
            raise ValueError(f"{name}: a list of texts is needed, not the single text {texts!r}")
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references do not go with {len(hypotheses)} hypotheses")
    return [
        (normalize(r, normalization), normalize(h, normalization)) for r, h in zip(references, hypotheses, strict=True)
    ]


def _count_character_edits(pairs: list[tuple[str, str]]) -> tuple[int, int]:
    """Return the edits, and the characters of the references."""
    return sum(edit_distance(r, h) for r, h in pairs), sum(len(r) for r, _ in pairs)


def count_word_edits(pairs: list[tuple[str, str]]) -> tuple[int, int]:
    """Return the edits, and the words of the references."""
    words = [(r.split(), h.split()) for r, h in pairs]
    return sum(edit_distance(r, h) for r, h in words), sum(len(r) for r, _ in words)


def _rate(edits: int, length: int) -> float:
    return edits / length if length else float(edits > 0)

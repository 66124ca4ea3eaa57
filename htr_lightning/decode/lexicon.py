"""The words that a recognizer may write, as a trie over its classes."""

import logging
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import Charset
from htr_lightning.errors import InputError
from htr_lightning.lm.texts import read_texts
from htr_lightning.text import describe_characters

log = logging.getLogger(__name__)

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ROOT, UNKNOWN = 0, 1
"""The node between words, and the one inside a word that has left the lexicon."""

_FIRST = 2  # node that a key stands for; that of the i-th key is _FIRST + i


class LexiconError(InputError):
    """A file from which no lexicon can be made; names it, and the remedy."""


def is_letter(character: str) -> bool:
    """Whether a character is part of words: a letter or a combining mark (Unicode L and M)."""
    return unicodedata.category(character)[0] in "LM"


def split_words(text: str) -> list[str]:
    """Return the words of a text, its longest runs of letters; digits, apostrophes and hyphens part them, too."""
    return text.translate({ord(c): " " for c in set(text) if not is_letter(c)}).split()


class Lexicon:
    """Words, each also capitalized and in capitals, and between them whatever is no letter.

    A text walks through nodes, from `ROOT`: a letter leads down the trie, anything else back to `ROOT`. A word that is
    not in the lexicon is noticed once: at the letter that leaves the trie, after which its node is `UNKNOWN`; or where
    it ends too soon.

    Args:
        texts: their words are the lexicon.
        charset: its classes are what the trie is over; spellings that it cannot write are left out.

    Attributes:
        left_out: words of which no spelling can be written.
        num_words: the others.
        is_end: ``(nodes,)`` whether a word may end there; true of `ROOT` and `UNKNOWN`, too.

    Raises:
        LexiconError: there is no word, or none that can be written.
    """

    def __init__(self, texts: Iterable[str], charset: Charset) -> None:
        words = dict.fromkeys(split_words("\n".join(texts)))
        if not words:
            raise LexiconError("has no words; give a text file of words, or a manifest with texts")
        known = set(charset.characters)
        spellings: set[str] = set()
        self.left_out: list[str] = []
        for word in words:
            written = [spelling for spelling in _spellings(word, charset) if known.issuperset(spelling)]
            spellings.update(written)
            if not written:
                self.left_out.append(word)
        if not spellings:
            lacking = describe_characters(charset.find_unknown(self.left_out[0])[:1])
            raise LexiconError(
                f"none of its words ({len(words):,}) can be written by the recognizer, which lacks {lacking} of "
                f"{self.left_out[0]!r}; give words of the script that it was trained on"
            )
        self.num_words = len(words) - len(self.left_out)
        self.num_classes = charset.num_classes
        self._is_letter: Bools = np.array([False, *map(is_letter, charset.characters)])
        self._keys, self.is_end = _trie([charset.encode(word) for word in sorted(spellings)], charset.num_classes)

    def after(self, nodes: Ints, classes: Ints) -> tuple[Ints, Bools]:
        """Go on from nodes.

        Args:
            nodes: ``(N, B)``.
            classes: ``(N, C)`` characters that follow.

        Returns:
            ``(N, B, C)``: the nodes after each character, and whether it shows that a word is not in the lexicon.
        """
        before, following = nodes[:, :, None], classes[:, None, :]
        wanted = before * self.num_classes + following
        places = np.searchsorted(self._keys, wanted).clip(max=len(self._keys) - 1)
        found = self._keys[places] == wanted
        letters = self._is_letter[following]
        after = np.where(letters, np.where(found, places + _FIRST, UNKNOWN), ROOT)
        return after, np.where(letters, ~found & (before != UNKNOWN), ~self.is_end[before])


def read_lexicon(path: Path, charset: Charset) -> Lexicon:
    """Read the words of a text file or of a manifest's texts, and log what a recognizer cannot write.

    Raises:
        LexiconError: missing, malformed, not UTF-8, or without a word that can be written.
    """
    try:
        texts = list(read_texts(path, "text", charset.normalization))
    except ValueError as error:
        raise LexiconError(str(error)) from None
    try:
        lexicon = Lexicon(texts, charset)
    except LexiconError as error:
        raise LexiconError(f"{path}: {error}") from None
    if lexicon.left_out:
        log.warning(
            "%s: %d of %d words are left out, as the recognizer lacks characters of them, such as %s of %r",
            path,
            len(lexicon.left_out),
            len(lexicon.left_out) + lexicon.num_words,
            describe_characters(charset.find_unknown(lexicon.left_out[0])[:1]),
            lexicon.left_out[0],
        )
    return lexicon


def _spellings(word: str, charset: Charset) -> Iterator[str]:
    for spelling in (word, word[0].title() + word[1:], word.upper()):
        yield charset.normalize(spelling)


def _trie(words: Sequence[Sequence[int]], num_classes: int) -> tuple[Ints, Bools]:
    """Build a trie level by level.

    Returns:
        The keys ``node * K + class`` of all steps down, sorted, of which the i-th leads to node 2 + i; and of each node
        whether a word may end there.
    """
    lengths = np.array([len(word) for word in words])
    characters = np.concatenate([np.array(word, np.int64) for word in words])
    begins = np.cumsum(lengths) - lengths
    nodes = np.full(len(words), ROOT, np.int64)  # where each word stands
    levels: list[Ints] = []
    num_nodes = _FIRST
    for depth in range(lengths.max()):
        longer = np.flatnonzero(lengths > depth)
        keys, places = np.unique(nodes[longer] * num_classes + characters[begins[longer] + depth], return_inverse=True)
        nodes[longer] = num_nodes + places
        num_nodes += len(keys)
        levels.append(keys)
    is_end = np.zeros(num_nodes, np.bool_)
    is_end[[ROOT, UNKNOWN]] = True
    is_end[nodes] = True
    return np.concatenate(levels), is_end

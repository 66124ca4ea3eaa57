"""A lexicon: the words that a recognizer may predict, as a trie over its classes."""

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
"""The node between words, and the node inside a word that is not in the lexicon."""

_FIRST_NODE = 2  # the i-th key of the trie leads to the node _FIRST_NODE + i
_MAX_WORD_LENGTH = 1000  # the time to build the trie grows with the longest word


class LexiconError(InputError):
    """A file from which no lexicon can be built."""


def is_letter(character: str) -> bool:
    """Whether a character is part of a word: a letter or a combining mark (Unicode categories L and M)."""
    return unicodedata.category(character)[0] in "LM"


def split_words(text: str) -> list[str]:
    """Split a text into words, the maximal runs of letters; digits, apostrophes and hyphens are separators."""
    return text.translate({ord(c): " " for c in set(text) if not is_letter(c)}).split()


class Lexicon:
    """Words in three spellings: as given, capitalized and in capitals. Any non-letters may separate them.

    The lexicon is a finite automaton whose initial state is `ROOT`: a letter leads to a child in the trie, any other
    character back to `ROOT`. A word that is not in the lexicon is reported exactly once: at the letter that leaves the
    trie, after which the node is `UNKNOWN`; or at its end, if it is only the beginning of a word.

    Args:
        texts: the lexicon consists of their words.
        charset: the trie is over its classes; spellings with other characters are skipped.

    Attributes:
        skipped_words: words of which every spelling was skipped.
        num_words: number of the other words.
        is_final: ``(nodes,)`` whether a word may end at a node; also true for `ROOT` and `UNKNOWN`.

    Raises:
        LexiconError: there are no words, one has more than a thousand letters, or the charset can spell none of them.
    """

    def __init__(self, texts: Iterable[str], charset: Charset) -> None:
        words = dict.fromkeys(split_words("\n".join(texts)))
        if not words:
            raise LexiconError(
                "has no words", remedy="give a text file of words, or a manifest with transcriptions", kind="empty"
            )
        longest = max(words, key=len)
        if len(longest) > _MAX_WORD_LENGTH:
            raise LexiconError(
                f"{longest[:20] + '…'!r} has {len(longest):,} letters, too many for a word",
                remedy="separate the words by blanks or line breaks",
                kind="too_long",
            )
        known = set(charset.characters)
        spellings: set[str] = set()
        self.skipped_words: list[str] = []
        for word in words:
            valid = [spelling for spelling in _generate_spellings(word, charset) if known.issuperset(spelling)]
            spellings.update(valid)
            if not valid:
                self.skipped_words.append(word)
        if not spellings:
            first = self.skipped_words[0]
            raise LexiconError(
                f"the recognizer cannot predict any of its {len(words):,} words: "
                f"it lacks {describe_characters(charset.find_unknown(first)[:1])} of {first!r}",
                remedy="give words of the script that it was trained on",
                kind="unknown_characters",
            )
        self.num_words = len(words) - len(self.skipped_words)
        self.num_classes = charset.num_classes
        self._is_letter: Bools = np.array([False, *map(is_letter, charset.characters)])
        self._keys, self.is_final = _build_trie(
            [charset.encode(word) for word in sorted(spellings)], charset.num_classes
        )

    def advance(self, nodes: Ints, classes: Ints) -> tuple[Ints, Bools]:
        """Advance from nodes by characters.

        Args:
            nodes: ``(N, B)``.
            classes: ``(N, C)`` the next characters.

        Returns:
            ``(N, B, C)``: the nodes after each character, and whether it reveals a word that is not in the lexicon.
        """
        before, characters = nodes[:, :, None], classes[:, None, :]
        keys = before * self.num_classes + characters
        indices = np.searchsorted(self._keys, keys).clip(max=len(self._keys) - 1)
        is_child = self._keys[indices] == keys
        is_letter = self._is_letter[characters]
        after = np.where(is_letter, np.where(is_child, indices + _FIRST_NODE, UNKNOWN), ROOT)
        return after, np.where(is_letter, ~is_child & (before != UNKNOWN), ~self.is_final[before])


def read_lexicon(path: Path, charset: Charset) -> Lexicon:
    """Read a lexicon from a text file or from the transcriptions of a manifest; warn of words that are skipped.

    Raises:
        LexiconError: the file is missing, malformed or not UTF-8, or has no words that the recognizer can predict.
    """
    try:
        lexicon = Lexicon(read_texts(path, "text", charset.normalization), charset)
    except InputError as error:
        file = path if isinstance(error, LexiconError) else error.file
        raise LexiconError(
            error.problem, remedy=error.remedy, file=file, line_id=error.line_id, kind=error.kind
        ) from None
    if lexicon.skipped_words:
        first = lexicon.skipped_words[0]
        log.warning(
            "%s: skipped %d of %d words with characters that the recognizer lacks, such as %s in %r",
            path,
            len(lexicon.skipped_words),
            len(lexicon.skipped_words) + lexicon.num_words,
            describe_characters(charset.find_unknown(first)[:1]),
            first,
        )
    return lexicon


def _generate_spellings(word: str, charset: Charset) -> Iterator[str]:
    for spelling in (word, word[0].title() + word[1:], word.upper()):
        yield charset.normalize(spelling)


def _build_trie(words: Sequence[Sequence[int]], num_classes: int) -> tuple[Ints, Bools]:
    """Build a trie level by level.

    Returns:
        The sorted keys ``node * K + class`` of all edges, of which the i-th leads to node 2 + i; and whether a word may
        end at each node.
    """
    lengths = np.array([len(word) for word in words])
    characters = np.concatenate([np.array(word, np.int64) for word in words])
    starts = np.cumsum(lengths) - lengths
    nodes = np.full(len(words), ROOT, np.int64)  # current node of each word
    levels: list[Ints] = []
    num_nodes = _FIRST_NODE
    for depth in range(lengths.max()):
        longer = np.flatnonzero(lengths > depth)
        keys, indices = np.unique(nodes[longer] * num_classes + characters[starts[longer] + depth], return_inverse=True)
        nodes[longer] = num_nodes + indices
        num_nodes += len(keys)
        levels.append(keys)
    is_final = np.zeros(num_nodes, np.bool_)
    is_final[[ROOT, UNKNOWN]] = True
    is_final[nodes] = True
    return np.concatenate(levels), is_final

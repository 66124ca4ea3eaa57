"""Texts of synthetic lines: random running text, or pieces of a text file."""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from htr_lightning.data.line import SPLITS, Split
from htr_lightning.data.sources.fonts import Font, find_supported_characters
from htr_lightning.data.sources.grammar import Grammar, collect_characters, cut_lines
from htr_lightning.image.files import DataError
from htr_lightning.text import clean_text

_MAX_TRIES_PER_LINE = 20


_WIDE = "\u3001-\u30ff\u3400-\u9fff\uff01-\uff1f"  # ideographs, kana and their marks
_BETWEEN_IDEOGRAPHS = re.compile(rf"(?<=[{_WIDE}]) (?=[“{_WIDE}0-9])|(?<=[”…0-9]) (?=[{_WIDE}])")


def _join_ideographs(text: str) -> str:
    """Remove the spaces between Chinese characters, kana, their marks and digits."""
    return _BETWEEN_IDEOGRAPHS.sub("", text)


class SyntheticTexts:
    """Texts within limits of length, from a grammar or from a text file.

    Args:
        languages: codes that ``wordfreq`` knows; used without a text file.
        lengths: minimum and maximum number of characters of a text.
        characters: characters that a text may contain; None for no limit.
        text_file: UTF-8 text to use instead of the grammar.
        seed: seed of the order of the pieces of the text file.
        rare_words: fraction of the grammar's words of which all are as likely, 0..1.
    """

    def __init__(
        self,
        languages: tuple[str, ...],
        lengths: tuple[int, int],
        characters: frozenset[str] | None,
        text_file: Path | None,
        seed: int,
        rare_words: float = 0.0,
    ) -> None:
        self._languages, self._lengths, self._characters = languages, lengths, characters
        self._text_file, self._seed, self._rare_words = text_file, seed, rare_words

    def generate(
        self, split: Split, num_lines: int, fonts: Sequence[Font], generator: np.random.Generator
    ) -> tuple[Iterator[str], frozenset[str]]:
        """Return more than enough texts for a split, and all characters that they may contain.

        A text may contain characters that some of the fonts lack.

        Args:
            split: only texts of ``train`` may repeat, to be rendered in different styles.
            num_lines: number of lines of the split.
            fonts: the grammar uses only characters that one of them supports.
            generator: source of randomness.

        Raises:
            DataError: the text file cannot be read, wordfreq is not installed or does not know a language, or the fonts
                lack its letters.
        """
        max_texts = _MAX_TRIES_PER_LINE * num_lines + 1000
        if self._text_file is not None:
            pieces = self._read_pieces(self._text_file)
            texts = itertools.cycle(pieces) if split == "train" else iter(pieces)
            alphabet = self._restrict("".join(pieces + [piece.upper() for piece in pieces]))
            return itertools.islice(texts, max_texts), alphabet
        alphabet = self._restrict(collect_characters(self._languages))
        supported = frozenset().union(*(find_supported_characters(font.faces[0].path, alphabet) for font in fonts))
        words = Grammar(self._languages, supported, self._rare_words).generate_words(generator)
        # The limit ends the search for texts of a length that no text can have.
        max_words = max_texts * (self._lengths[1] // 3 + 1)
        lines = cut_lines(itertools.islice(words, max_words), *self._lengths, generator)
        texts = (text for line in lines if len(text := _join_ideographs(line)) >= self._lengths[0])
        return itertools.islice(texts, max_texts), alphabet

    def _restrict(self, characters: Iterable[str]) -> frozenset[str]:
        return frozenset(characters) if self._characters is None else frozenset(characters) & self._characters

    def _read_pieces(self, path: Path) -> list[str]:
        """Return the texts of the text file, all different, in random order."""
        try:
            content = unicodedata.normalize("NFC", path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"the file cannot be read ({error})",
                remedy="give a text file in UTF-8",
                key="dataset.text_file",
                value=path,
                kind="unreadable",
            ) from error
        generator = np.random.default_rng([self._seed, len(SPLITS)])
        pieces: dict[str, str] = {}
        for line in map(clean_text, content.splitlines()):
            is_short = len(line) <= self._lengths[1]
            for piece in [line] if is_short else cut_lines(iter(line.split()), *self._lengths, generator):
                if len(piece) >= self._lengths[0]:
                    pieces.setdefault(piece.casefold(), piece)
        ordered = list(pieces.values())
        return [ordered[i] for i in generator.permutation(len(ordered))]

    def shortage_error(self, split: Split, num_found: int, num_lines: int) -> DataError:
        """Return the error for a split for which too few texts were found."""
        shortest, longest = self._lengths
        problem = (
            f"only {num_found} of {num_lines} {split} texts of {shortest} to {longest} characters were found that the "
            "fonts can write and no other split has"
        )
        if self._text_file is not None:
            return DataError(
                problem,
                remedy="give a longer text, or lower dataset.num_val, dataset.num_test or dataset.min_length",
                key="dataset.text_file",
                value=self._text_file,
                kind="too_few",
            )
        return DataError(
            problem,
            remedy="raise dataset.max_length, or lower dataset.num_val and dataset.num_test",
            key="dataset.max_length",
            value=longest,
            kind="too_few",
        )

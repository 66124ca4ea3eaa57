"""Random running text like handwritten documents: words by frequency, names, dates, money, quotes."""

import re
from collections.abc import Iterator
from dataclasses import fields
from functools import lru_cache
from typing import TypeVar

import numpy as np

from htr_lightning.data.sources.fonts import INSTALL_COMMAND, can_shape, is_joining
from htr_lightning.data.sources.locales import LOCALES, Locale
from htr_lightning.image.files import DataError

_T = TypeVar("_T")

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_NUM_WORDS = 20_000  # after these, the lists contain more misspellings than words, but not those of ideographs
_IDEOGRAPH = re.compile("[\u3400-\u9fff]")
_FREQUENCY_EXPONENT = 0.85  # below 1: rare words occur more often than in real text
_VOWELS = frozenset("aeiouyhàâäéèêëîïôöùûüœæ")
_MARKS = ("0123456789", ".,;:!?…", "'’", "()-%")
_SIGNS = ("&", "+", "=", "-", "–", "—", "...", "…", "/", "*", "#", "§", "×")


def collect_characters(languages: list[str] | tuple[str, ...]) -> frozenset[str]:
    """Return every character that sentences in these languages may contain, including the space.

    Raises:
        DataError: wordfreq is not installed or does not know a language.
    """
    characters = set(" ".join((*_MARKS, *_SIGNS)))
    for language in languages:
        words = "".join(_load_frequencies(language))
        characters.update(words, words.upper())
        locale = LOCALES.get(language, Locale())
        for field in fields(locale):
            characters.update(*_collect_strings(getattr(locale, field.name)))
    return frozenset(characters - set("{}"))


def _collect_strings(value: object) -> list[str]:
    if isinstance(value, tuple):
        return [text for item in value for text in _collect_strings(item)]
    return [value] if isinstance(value, str) else []


class Grammar:
    """Generates endless running text in several languages; each sentence is in one of them.

    Args:
        languages: codes that ``wordfreq`` knows, such as ``en``, ``fr``, ``de``.
        alphabet: characters that the text may contain.
        rare_words: fraction of the words of which all are as likely, instead of by frequency, 0..1.

    Raises:
        DataError: wordfreq is not installed or does not know a language, or the alphabet lacks its letters.
    """

    def __init__(
        self, languages: list[str] | tuple[str, ...], alphabet: frozenset[str], rare_words: float = 0.0
    ) -> None:
        self._vocabularies = [_Vocabulary(language, alphabet, rare_words) for language in languages]

    def generate_words(self, generator: np.random.Generator) -> Iterator[str]:
        """Yield words without end; a few contain a space at which a line must not be broken (``Quoi ?``)."""
        while True:
            vocabulary = self._vocabularies[generator.integers(len(self._vocabularies))]
            yield from vocabulary.generate_sentence(generator)


class _Vocabulary:
    """The words of one language with their frequencies, and everything else that its sentences contain."""

    def __init__(self, language: str, alphabet: frozenset[str], rare_words: float) -> None:
        self._alphabet, self._rare_words = alphabet, rare_words
        self._locale = LOCALES.get(language, Locale())
        frequencies = _load_frequencies(language)
        writable = {word: f for word, f in frequencies.items() if alphabet.issuperset(word)}
        if sum(writable.values()) < 0.5 * sum(frequencies.values()):
            remedy = "set dataset.font_folder to fonts that have its letters, or choose another language"
            if any(map(is_joining, "".join(frequencies))) and not can_shape():
                remedy = "install the wheel of Pillow, which has Raqm (HarfBuzz): its letters have to be joined"
            raise DataError(
                f"{language!r} cannot be written with these fonts and dataset.characters",
                remedy=remedy,
                key="dataset.languages",
                kind="unsupported",
            )
        self._words = list(writable)
        weights = np.array(list(writable.values())) ** _FREQUENCY_EXPONENT
        self._cumulative = np.cumsum(weights) / weights.sum()

    def generate_sentence(self, generator: np.random.Generator) -> Iterator[str]:
        """Yield the words of one sentence."""
        num_words = int(generator.integers(3, 13))
        words = self._sample_words(num_words, generator)
        chances = generator.random(num_words)
        curly = generator.random() < 0.2 and "’" in self._alphabet
        last = num_words - 1
        for i, (word, chance) in enumerate(zip(words, chances, strict=True)):
            # One random number per word decides what happens to it: most words stay plain, and the loop stays fast.
            token = self._decorate(word, generator) if chance < 0.25 else word
            if i == 0:
                token = token[:1].upper() + token[1:]
            if i == last:
                token += self._sample_end_mark(generator)
            elif chance > 0.9:
                token += self._locale.comma
            if not self._alphabet.issuperset(token):
                token = word
            yield token.replace("'", "’") if curly else token
            if 0.25 <= chance < 0.33:
                extra = self._sample_extra(generator)
                if self._alphabet.issuperset(extra):
                    yield from extra.split(" ")

    def _sample_words(self, num_words: int, generator: np.random.Generator) -> list[str]:
        indices = np.searchsorted(self._cumulative, generator.random(num_words), side="right")
        if self._rare_words:  # without them, the random numbers and so the texts are those of earlier versions
            is_rare = generator.random(num_words) < self._rare_words
            indices = np.where(is_rare, generator.integers(len(self._words), size=num_words), indices)
        return [self._words[min(int(index), len(self._words) - 1)] for index in indices]

    def _decorate(self, word: str, generator: np.random.Generator) -> str:
        """Put a word in capitals, quotes or brackets, capitalize it, or join it to an elided or another word."""
        locale = self._locale
        chance = generator.random()
        if word[0] in _VOWELS and locale.elisions and "'" not in word and chance < 0.6:
            return _choose(locale.elisions, generator) + word
        if generator.random() < 4 * locale.capitalized_fraction:
            return word[:1].upper() + word[1:]
        if chance < 0.12:
            return word.upper()
        if chance < 0.28:
            opening, closing = _choose(locale.quotes, generator)
            return opening + word + closing
        if chance < 0.34:
            return word.join(locale.brackets)
        if chance < 0.40:
            return f"{word}{locale.joint}{self._sample_words(1, generator)[0]}"
        return word

    def _sample_end_mark(self, generator: np.random.Generator) -> str:
        mark = _choose(self._locale.end_marks, generator)
        is_spaced = self._locale.has_spaced_marks and mark in "?!;:" and generator.random() < 0.5
        return f" {mark}" if is_spaced else mark

    def _sample_extra(self, generator: np.random.Generator) -> str:
        """Return something to put between words: a name, number, date, amount of money, abbreviation or sign."""
        locale = self._locale
        chance = generator.random()
        if chance < 0.30:
            name = _choose(locale.names, generator)
            return f"{_choose(locale.titles, generator)} {name}" if generator.random() < 0.4 else name
        if chance < 0.48:
            return self._sample_number(generator)
        if chance < 0.66:
            return self._sample_date(generator)
        if chance < 0.80:
            whole = int(10 ** generator.uniform(0, 4))
            with_cents = f"{whole}{locale.separators[0]}{generator.integers(100):02d}"
            return _choose(locale.money, generator).format(n=self._format_integer(whole), c=with_cents)
        if chance < 0.94:
            return _choose(locale.abbreviations, generator)
        return _choose(_SIGNS, generator)

    def _sample_number(self, generator: np.random.Generator) -> str:
        whole = int(10 ** generator.uniform(0, 5))
        kind = generator.integers(6)
        if kind == 0:
            return f"{whole % 100}%"
        if kind == 1:
            return f"{whole % 100}{self._locale.separators[0]}{generator.integers(10)}"
        if kind == 2:
            return f"{generator.integers(24)}:{generator.integers(60):02d}"
        if kind == 3:
            return f"{whole}-{whole + generator.integers(1, 20)}"
        return self._format_integer(whole)

    def _format_integer(self, whole: int) -> str:
        return f"{whole:,}".replace(",", self._locale.separators[1]) if whole >= 10_000 else str(whole)

    def _sample_date(self, generator: np.random.Generator) -> str:
        locale = self._locale
        day, month, year = (int(n) for n in generator.integers([4, 1, 1650], [21, 13, 2031]))
        name = locale.months[month - 1] if locale.months else ""
        return _choose(locale.dates, generator).format(d=day, m=f"{month:02d}", month=name, y=year)


def _choose(options: tuple[_T, ...], generator: np.random.Generator) -> _T:
    return options[int(generator.integers(len(options)))]


@lru_cache(maxsize=8)
def _load_frequencies(language: str) -> dict[str, float]:
    """Return the words of a language, most frequent first, as they are written within a sentence."""
    locale = LOCALES.get(language, Locale())
    try:
        import wordfreq
    except ImportError:
        raise DataError(
            "wordfreq is not installed",
            remedy=f"run: {INSTALL_COMMAND}, or set dataset.text_file to your own text",
            kind="not_installed",
        ) from None
    known = wordfreq.available_languages("small")
    if language not in known:
        raise DataError(
            f"{language!r} is unknown",
            remedy=f"choose from {', '.join(sorted(known))}",
            key="dataset.languages",
            kind="unknown",
        )
    frequencies: dict[str, float] = {}
    for word, frequency in wordfreq.get_frequency_dict(language, "small").items():
        has_ideograph = bool(_IDEOGRAPH.search(word))
        if len(frequencies) >= _NUM_WORDS and not has_ideograph:
            continue
        if _WORD.fullmatch(word) and (len(word) > 1 or has_ideograph or word in locale.one_letter_words):
            # wordfreq has small letters only.
            is_english_i = language == "en" and (word == "i" or word.startswith("i'"))
            if language == "el" and word.endswith("σ"):
                word = f"{word[:-1]}ς"  # the list folds the final sigma
            frequencies[word.capitalize() if is_english_i else word] = frequency
    return frequencies


def cut_lines(words: Iterator[str], min_length: int, max_length: int, generator: np.random.Generator) -> Iterator[str]:
    """Join words to lines; a line may begin and end anywhere in a sentence, as on paper.

    Args:
        words: running text.
        min_length: minimum number of characters of a line; a shorter rest is left out.
        max_length: maximum number of characters of a line.
        generator: draws the target length of each line.
    """
    line, target_length = "", int(generator.integers(min_length, max_length + 1))
    for word in words:
        longer = f"{line} {word}" if line else word
        if len(longer) <= target_length:
            line = longer
            continue
        if len(line) >= min_length:
            yield line
            line = word
        elif len(longer) <= max_length:
            yield longer
            line = ""
        else:
            line = word
        if len(line) > max_length:
            line = ""
        target_length = int(generator.integers(min_length, max_length + 1))
    if len(line) >= min_length:
        yield line

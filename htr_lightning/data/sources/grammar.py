"""Running text that looks like what people write by hand: words by frequency, names, dates, money, quotes."""

import re
from collections.abc import Iterator
from dataclasses import fields
from functools import lru_cache
from typing import TypeVar

import numpy as np

from htr_lightning.data.sources.fonts import INSTALL
from htr_lightning.data.sources.locales import LOCALES, Locale
from htr_lightning.image.files import DataError

_T = TypeVar("_T")

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_NUM_WORDS = 20_000  # beyond them the lists hold more misspellings than words
_FLATTENING = 0.85  # exponent on the frequencies: rare words are seen more often than in life
_VOWELS = frozenset("aeiouyhàâäéèêëîïôöùûüœæ")
_MARKS = ("0123456789", ".,;:!?…", "'’", "()-%")
_SIGNS = ("&", "+", "=", "-", "–", "—", "...", "…", "/", "*", "#", "§", "×")


def characters_of(languages: list[str] | tuple[str, ...]) -> frozenset[str]:
    """Return every character that sentences in these languages may use, the space included.

    Raises:
        DataError: wordfreq is not installed or does not know a language.
    """
    found = set(" ".join((*_MARKS, *_SIGNS)))
    for language in languages:
        words = "".join(_frequencies(language))
        found.update(words, words.upper())
        locale = LOCALES.get(language, Locale())
        for field in fields(locale):
            found.update(*_texts_in(getattr(locale, field.name)))
    return frozenset(found - set("{}"))


def _texts_in(value: object) -> list[str]:
    if isinstance(value, tuple):
        return [text for item in value for text in _texts_in(item)]
    return [value] if isinstance(value, str) else []


class Grammar:
    """Endless running text in several languages; a sentence is in one of them.

    Args:
        languages: codes that ``wordfreq`` knows, such as ``en``, ``fr``, ``de``.
        alphabet: the only characters to be used.

    Raises:
        DataError: wordfreq is not installed or does not know a language, or the alphabet does not do for it.
    """

    def __init__(self, languages: list[str] | tuple[str, ...], alphabet: frozenset[str]) -> None:
        self._vocabularies = [_Vocabulary(language, alphabet) for language in languages]

    def words(self, generator: np.random.Generator) -> Iterator[str]:
        """Yield word after word, without end; a few hold a space that no line should end at (``Quoi ?``)."""
        while True:
            vocabulary = self._vocabularies[generator.integers(len(self._vocabularies))]
            yield from vocabulary.sentence(generator)


class _Vocabulary:
    """One language: its words with their frequencies, and everything else it can put into a sentence."""

    def __init__(self, language: str, alphabet: frozenset[str]) -> None:
        self._alphabet = alphabet
        self._locale = LOCALES.get(language, Locale())
        frequencies = _frequencies(language)
        kept = {word: f for word, f in frequencies.items() if alphabet.issuperset(word)}
        if sum(kept.values()) < 0.5 * sum(frequencies.values()):
            raise DataError(
                f"dataset.languages: {language!r} cannot be written with these fonts and dataset.characters; "
                f"set dataset.font_folder to fonts that have its letters, or choose another language"
            )
        self._words = list(kept)
        weights = np.array(list(kept.values())) ** _FLATTENING
        self._cumulative = np.cumsum(weights) / weights.sum()

    def sentence(self, generator: np.random.Generator) -> Iterator[str]:
        """Yield the words of one sentence."""
        num_words = int(generator.integers(3, 13))
        words = self._sample(num_words, generator)
        chances = generator.random(num_words)
        curly = generator.random() < 0.2 and "’" in self._alphabet
        last = num_words - 1
        for i, (word, chance) in enumerate(zip(words, chances, strict=True)):
            # Most words are plain; the others are dealt out by one draw each, to keep this loop fast.
            token = self._dressed(word, generator) if chance < 0.25 else word
            if i == 0:
                token = token[:1].upper() + token[1:]
            if i == last:
                token += self._end(generator)
            elif chance > 0.9:
                token += ","
            if not self._alphabet.issuperset(token):
                token = word
            yield token.replace("'", "’") if curly else token
            if 0.25 <= chance < 0.33:
                extra = self._extra(generator)
                if self._alphabet.issuperset(extra):
                    yield from extra.split(" ")

    def _sample(self, num_words: int, generator: np.random.Generator) -> list[str]:
        places = np.searchsorted(self._cumulative, generator.random(num_words), side="right")
        return [self._words[min(int(place), len(self._words) - 1)] for place in places]

    def _dressed(self, word: str, generator: np.random.Generator) -> str:
        """A word in capitals, with a capital, in quotes, in brackets, elided or joined to another."""
        locale = self._locale
        chance = generator.random()
        if word[0] in _VOWELS and locale.elisions and "'" not in word and chance < 0.6:
            return _choice(locale.elisions, generator) + word
        if generator.random() < 4 * locale.capital_share:
            return word[:1].upper() + word[1:]
        if chance < 0.12:
            return word.upper()
        if chance < 0.28:
            opening, closing = _choice(locale.quotes, generator)
            return opening + word + closing
        if chance < 0.34:
            return f"({word})"
        if chance < 0.40:
            return f"{word}-{self._sample(1, generator)[0]}"
        return word

    def _end(self, generator: np.random.Generator) -> str:
        mark = _choice((".", ".", ".", ".", ".", "!", "?", "?", ";", ":", "...", ","), generator)
        spaced = self._locale.spaced_marks and mark in "?!;:" and generator.random() < 0.5
        return f" {mark}" if spaced else mark

    def _extra(self, generator: np.random.Generator) -> str:
        """What stands between words: a name, a number, a date, a sum, an abbreviation, a sign."""
        locale = self._locale
        chance = generator.random()
        if chance < 0.30:
            name = _choice(locale.names, generator)
            return f"{_choice(locale.titles, generator)} {name}" if generator.random() < 0.4 else name
        if chance < 0.48:
            return self._number(generator)
        if chance < 0.66:
            return self._date(generator)
        if chance < 0.80:
            whole = int(10 ** generator.uniform(0, 4))
            cents = f"{whole}{locale.marks[0]}{generator.integers(100):02d}"
            return _choice(locale.money, generator).format(n=self._grouped(whole), c=cents)
        if chance < 0.94:
            return _choice(locale.abbreviations, generator)
        return _choice(_SIGNS, generator)

    def _number(self, generator: np.random.Generator) -> str:
        whole = int(10 ** generator.uniform(0, 5))
        kind = generator.integers(6)
        if kind == 0:
            return f"{whole % 100}%"
        if kind == 1:
            return f"{whole % 100}{self._locale.marks[0]}{generator.integers(10)}"
        if kind == 2:
            return f"{generator.integers(24)}:{generator.integers(60):02d}"
        if kind == 3:
            return f"{whole}-{whole + generator.integers(1, 20)}"
        return self._grouped(whole)

    def _grouped(self, whole: int) -> str:
        return f"{whole:,}".replace(",", self._locale.marks[1]) if whole >= 10_000 else str(whole)

    def _date(self, generator: np.random.Generator) -> str:
        locale = self._locale
        day, month, year = (int(n) for n in generator.integers([4, 1, 1650], [21, 13, 2031]))
        name = locale.months[month - 1] if locale.months else ""
        return _choice(locale.dates, generator).format(d=day, m=f"{month:02d}", month=name, y=year)


def _choice(options: tuple[_T, ...], generator: np.random.Generator) -> _T:
    return options[int(generator.integers(len(options)))]


@lru_cache(maxsize=8)
def _frequencies(language: str) -> dict[str, float]:
    """Words of a language, most frequent first, as they are written within a sentence."""
    locale = LOCALES.get(language, Locale())
    try:
        import wordfreq
    except ImportError:
        raise DataError(
            f"wordfreq is not installed; run: {INSTALL}, or set dataset.text_file to a text of yours"
        ) from None
    known = wordfreq.available_languages("small")
    if language not in known:
        raise DataError(f"dataset.languages: {language!r} is unknown; there is {', '.join(sorted(known))}")
    frequencies: dict[str, float] = {}
    for word, frequency in wordfreq.get_frequency_dict(language, "small").items():
        if len(frequencies) == _NUM_WORDS:
            break
        if _WORD.fullmatch(word) and (len(word) > 1 or word in locale.letters):
            # wordfreq folds everything to small letters
            english_i = language == "en" and (word == "i" or word.startswith("i'"))
            frequencies[word.capitalize() if english_i else word] = frequency
    return frequencies


def cut(words: Iterator[str], min_length: int, max_length: int, generator: np.random.Generator) -> Iterator[str]:
    """Join words to lines as they come; a line may begin and end anywhere in a sentence, as on paper.

    Args:
        words: running text.
        min_length: fewest characters of a line; what cannot be completed to them is left out.
        max_length: most characters of a line.
        generator: draws the length that a line goes for.
    """
    line, goal = "", int(generator.integers(min_length, max_length + 1))
    for word in words:
        longer = f"{line} {word}" if line else word
        if len(longer) <= goal:
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
        goal = int(generator.integers(min_length, max_length + 1))
    if len(line) >= min_length:
        yield line

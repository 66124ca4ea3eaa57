"""Lines to measure on: generated ones in two directions, and the messages of programs, which translators wrote."""

import gettext
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from wordfreq import top_n_list

from htr_lightning.directions.bidi import is_right_to_left, remove_marks
from htr_lightning.layout.formats import read_layout

_NUM_WORDS = 5000
_ARABIC_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_PLACEHOLDER = re.compile(r"[%&_<>{}\\|]|\bGtk|::")  # of programs, not of writers


def make_lines(kind: str, number: int, seed: int = 1) -> list[str]:
    """Return random lines like those of writers.

    Args:
        kind: ``arabic`` or ``hebrew``, with numbers and brackets; ``arabic+latin`` or ``hebrew+latin``, with phrases in
            English too; ``latin+arabic`` or ``latin+hebrew``, English with phrases from right to left.
        number: of lines.
        seed: of the generator.
    """
    generator = random.Random(f"{seed} {kind}")
    base, _, other = kind.partition("+")
    codes = {"arabic": "ar", "hebrew": "he", "latin": "en"}
    words = [word for word in top_n_list(codes[base], _NUM_WORDS) if word.isalpha() and _is_of(word, base)]
    foreign = [w for w in top_n_list(codes[other], _NUM_WORDS) if w.isalpha() and _is_of(w, other)] if other else []
    return [_make_line(generator, words, foreign, other, is_arabic="arabic" in kind) for _ in range(number)]


def _is_of(word: str, script: str) -> bool:
    return all(is_right_to_left(c) != (script == "latin") for c in word)


def _make_line(generator: random.Random, words: list[str], foreign: list[str], other: str, is_arabic: bool) -> str:
    def pick(kinds: list[str], most: int) -> str:
        return " ".join(generator.choices(kinds, k=generator.randint(1, most)))

    items: list[Callable[[], str]] = [
        lambda: _make_number(generator, is_arabic),
        lambda: f"({pick(words, 3)})",
        lambda: f"({_make_number(generator, is_arabic)})",
        lambda: f'"{pick(words, 3)}"',
        lambda: f"{pick(words, 1)} - {pick(words, 1)}",
    ]
    if foreign:
        items += [
            lambda: _capitalize(generator, pick(foreign, 3)),
            lambda: _capitalize(generator, pick(foreign, 3)),
            lambda: f"({pick(foreign, 3)})",
            lambda: f'"{pick(foreign, 2)}"',
        ]
    if other == "latin":
        items.append(lambda: f"{pick(foreign, 2)} {generator.randint(1, 99)}")  # Windows 10
    parts = [pick(words, 3)]
    for _ in range(generator.randint(1, 3)):
        parts.append(generator.choice(items)())
        if generator.random() < 0.85:
            comma = "،" if is_arabic and not foreign else ","
            parts[-1] += generator.choice(["", "", "", comma, ":"])
            parts.append(pick(words, 4))
    return " ".join(parts) + generator.choice(["", "", ".", "!", "؟" if is_arabic else "?"])


def _capitalize(generator: random.Random, text: str) -> str:
    return text.title() if generator.random() < 0.5 else text


def _make_number(generator: random.Random, is_arabic: bool) -> str:
    n = generator.randint
    number = generator.choice(
        [
            f"{n(1, 99)}",
            f"{n(1700, 2020)}",
            f"{n(1, 28)}/{n(1, 12)}/{n(1800, 1999)}",
            f"{n(1, 28)}.{n(1, 12)}.{n(1800, 1999)}",
            f"{n(1, 23)}:{n(10, 59)}",
            f"{n(1, 99)},{n(100, 999)}",
            f"{n(1, 9)}.{n(1, 9)}",
            f"{n(1, 99)}%",
            f"{n(1700, 1800)}-{n(1801, 1900)}",
        ]
    )
    return number.translate(_ARABIC_DIGITS) if is_arabic and generator.random() < 0.5 else number


def read_messages(folder: Path, language: str) -> Iterator[str]:
    """Yield the lines of translated messages (``LANGUAGE/LC_MESSAGES/*.mo``), each once, without those of programmers.

    Lines without letters from right to left, of more than 100 characters, or with placeholders are left out.
    """
    seen = set()
    for path in sorted((folder / language / "LC_MESSAGES").glob("*.mo")):
        with path.open("rb") as file:
            messages = gettext.GNUTranslations(file)._catalog.values()  # type: ignore[attr-defined]
        for message in messages:
            for line in str(message).splitlines():
                text = remove_marks(" ".join(line.split()))
                is_written = any(map(is_right_to_left, text)) and not _PLACEHOLDER.search(text)
                if is_written and len(text) <= 100 and text not in seen:
                    seen.add(text)
                    yield text


def read_layouts(folder: Path) -> Iterator[str]:
    """Yield the texts of the lines of the ALTO and PAGE files of a folder."""
    for path in sorted(folder.glob("*.xml")):
        for line in read_layout(path).lines:
            if line.text:
                yield remove_marks(line.text.strip())

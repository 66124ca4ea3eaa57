"""ARPA files, as KenLM, SRILM and PyLaia's recipes write and read them."""

import gzip
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from htr_lightning.files import replacing
from htr_lightning.lm.ngram import BEGIN, END, UNKNOWN, Floats, Ints, LanguageModelError, Level, NGram

SPACE = "<space>"
"""How a space is written, since spaces part the symbols of an ARPA file."""

_KNOWN = {SPACE: " ", "▁": " ", "<SPACE>": " ", "<S>": BEGIN, "</S>": END, "<UNK>": UNKNOWN}
_LOG10 = math.log(10)
_NEVER = -99.0  # log10 of the probability of what cannot be said: BEGIN
_COUNT = re.compile(r"ngram\s+(\d+)\s*=\s*(\d+)\s*$")


def write_arpa(model: NGram, path: Path) -> None:
    """Write a model, whole or not at all; gzipped where the name ends in ``.gz``.

    Raises:
        OSError: the folder cannot be written.
    """
    with replacing(path) as file:
        if path.suffix == ".gz":
            with gzip.open(file, "wb") as zipped:
                zipped.writelines(f"{line}\n".encode() for line in _lines(model))
        else:
            file.writelines(f"{line}\n".encode() for line in _lines(model))


def _lines(model: NGram) -> Iterator[str]:
    names = [SPACE if symbol == " " else symbol for symbol in model.symbols]
    yield "\\data\\"
    yield from (f"ngram {order}={len(level)}" for order, level in enumerate(model.levels, start=1))
    written: list[str] = [""]
    for order, level in enumerate(model.levels, start=1):
        yield f"\n\\{order}-grams:"
        symbols = [names[symbol] for symbol in level.symbol.tolist()]
        if order == 1:
            written = symbols
        else:
            written = [f"{written[c]} {s}" for c, s in zip(level.context.tolist(), symbols, strict=True)]
        probabilities = np.maximum(level.log_probability / _LOG10, _NEVER).tolist()
        last = order == model.order
        for words, probability, backoff in zip(written, probabilities, level.log_backoff.tolist(), strict=True):
            yield f"{probability:.7g}\t{words}" + ("" if last else f"\t{backoff / _LOG10:.7g}")
    yield "\n\\end\\"


def read_arpa(path: Path, *, max_ngrams: int | None = None) -> NGram:
    """Read a model of characters.

    Args:
        path: an ARPA file, gzipped or not.
        max_ngrams: refuse a model of more n-grams before anything is read; about 32 bytes of memory each.

    Raises:
        LanguageModelError: missing, damaged or truncated, of words instead of characters, or too large.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            return _read(file, path, max_ngrams)
    except (OSError, EOFError) as error:
        raise LanguageModelError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    except UnicodeDecodeError:
        raise LanguageModelError(f"{path}: is no UTF-8 text, so no ARPA file") from None


def _read(file: IO[str], path: Path, max_ngrams: int | None) -> NGram:
    counts = _header(file, path)
    if max_ngrams is not None and sum(counts) > max_ngrams:
        raise LanguageModelError(
            f"{path}: {sum(counts):,} n-grams are more than the {max_ngrams:,} allowed; prune it, or allow more"
        )
    symbols: dict[str, int] = {}
    levels: list[Level] = []
    places: dict[str, int] = {}
    for order, count in enumerate(counts, start=1):
        _expect(file, path, f"\\{order}-grams:")
        rows = [row.rstrip("\r\n").split("\t") for row in islice(file, count)]
        if len(rows) < count or any(len(row) < 2 for row in rows):
            raise LanguageModelError(f"{path}: ends before its {count:,} {order}-grams do; it is truncated or damaged")
        try:
            probabilities = np.array([float(row[0]) for row in rows])
            backoffs = np.array([float(row[2]) if len(row) > 2 else 0.0 for row in rows])
        except ValueError as error:
            raise LanguageModelError(f"{path}: {error} among its {order}-grams; it is damaged") from None
        texts = [row[1] for row in rows]
        if order == 1:
            symbols = _symbols(texts, path)
            context, symbol = np.zeros(count, np.int64), np.arange(count)
        else:
            context, symbol = _split(texts, places, symbols, path)
        by = np.lexsort((symbol, context))
        levels.append(Level(context[by], symbol[by], _natural(probabilities[by]), _natural(backoffs[by])))
        places = {texts[row]: place for place, row in enumerate(by.tolist())}
    _expect(file, path, "\\end\\")
    return _with_unknown(NGram(tuple(symbols), tuple(levels)))


def _natural(log10: NDArray[np.float64]) -> Floats:
    return (log10 * _LOG10).astype(np.float32)


def _header(file: IO[str], path: Path) -> list[int]:
    if next((line for line in file if line.strip()), "").strip() != "\\data\\":
        raise LanguageModelError(f"{path}: does not begin with \\data\\, so it is no ARPA file")
    counts: list[int] = []
    for line in file:
        found = _COUNT.match(line)
        if found is None or int(found[1]) != len(counts) + 1:
            break
        counts.append(int(found[2]))
    if not counts or not all(counts):
        raise LanguageModelError(f"{path}: does not say how many n-grams it has; it is damaged")
    return counts


def _expect(file: Iterable[str], path: Path, words: str) -> None:
    found = next((line.strip() for line in file if line.strip()), "its end")
    if found != words:
        raise LanguageModelError(f"{path}: {found[:60]!r} stands where {words} should; it is truncated or damaged")


def _symbols(texts: list[str], path: Path) -> dict[str, int]:
    names = [_KNOWN.get(text, text) for text in texts]
    special = (BEGIN, END, UNKNOWN)
    long = [name for name in names if len(name) != 1 and name not in special]
    if long:
        raise LanguageModelError(
            f"{path}: {len(long)} of its symbols are no single characters, such as {long[0]!r}; a model of "
            "characters is needed (write spaces as <space>)"
        )
    if BEGIN not in names or END not in names:
        raise LanguageModelError(f"{path}: has no {BEGIN} and {END}; learn it from whole lines")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise LanguageModelError(f"{path}: the symbol {twice!r} is there twice")
    return {name: place for place, name in enumerate(names)}


def _split(texts: list[str], places: Mapping[str, int], symbols: Mapping[str, int], path: Path) -> tuple[Ints, Ints]:
    """Find the contexts and last symbols of n-grams."""
    parts = [text.rpartition(" ") for text in texts]
    try:
        context = np.array([places[before] for before, _, _ in parts], np.int64)
        symbol = np.array([symbols[_KNOWN.get(last, last)] for _, _, last in parts], np.int64)
    except KeyError as error:
        raise LanguageModelError(f"{path}: {error.args[0]!r} is part of an n-gram but not listed itself") from None
    return context, symbol


def _with_unknown(model: NGram) -> NGram:
    """Add UNKNOWN, with hardly a probability, to a model of a closed vocabulary."""
    if UNKNOWN in model.symbols:
        return model
    first, *others = model.levels
    level = Level(
        np.r_[first.context, 0],
        np.r_[first.symbol, len(model.symbols)],
        np.r_[first.log_probability, np.float32(_NEVER * _LOG10)],
        np.r_[first.log_backoff, np.float32(0)],
    )
    return NGram((*model.symbols, UNKNOWN), (level, *others))

"""ARPA files, compatible with KenLM, SRILM and PyLaia's recipes."""

import gzip
import math
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from htr_lightning.files import atomic_write
from htr_lightning.lm.ngram import BEGIN, END, UNKNOWN, Floats, Ints, LanguageModelError, Level, NGram

SPACE = "<space>"
"""The symbol for a space, as spaces separate the symbols in an ARPA file."""

_SYMBOLS = {SPACE: " ", "▁": " ", "<SPACE>": " ", "<S>": BEGIN, "</S>": END, "<UNK>": UNKNOWN}
_LOG10 = math.log(10)
_IMPOSSIBLE = -99.0  # log10 of the probability of BEGIN, which is never predicted
_COUNT_LINE = re.compile(r"ngram\s+([0-9]{1,2})\s*=\s*([0-9]{1,30})\s*$")
_MIN_ROW_BYTES = 4  # a digit, a tab, a character, a line break
_MAX_ROW_LENGTH, _MAX_BLANK_ROWS = 10_000, 1000
_MAX_COMPRESSION = 1100  # of gzip, whose limit is 1032


def write_arpa(model: NGram, path: Path) -> None:
    """Write a model atomically, gzipped if the name ends in ``.gz``.

    Raises:
        OSError: the file cannot be written.
    """
    with atomic_write(path) as file:
        if path.suffix == ".gz":
            with gzip.open(file, "wb") as zipped:
                zipped.writelines(f"{line}\n".encode() for line in _format_lines(model))
        else:
            file.writelines(f"{line}\n".encode() for line in _format_lines(model))


def _format_lines(model: NGram) -> Iterator[str]:
    names = [SPACE if symbol == " " else symbol for symbol in model.symbols]
    yield "\\data\\"
    yield from (f"ngram {order}={len(level)}" for order, level in enumerate(model.levels, start=1))
    ngrams: list[str] = [""]
    for order, level in enumerate(model.levels, start=1):
        yield f"\n\\{order}-grams:"
        symbols = [names[symbol] for symbol in level.symbol.tolist()]
        if order == 1:
            ngrams = symbols
        else:
            ngrams = [f"{ngrams[c]} {s}" for c, s in zip(level.context.tolist(), symbols, strict=True)]
        probabilities = np.maximum(level.log_probability / _LOG10, _IMPOSSIBLE).tolist()
        is_last = order == model.order
        for ngram, probability, backoff in zip(ngrams, probabilities, level.log_backoff.tolist(), strict=True):
            yield f"{probability:.7g}\t{ngram}" + ("" if is_last else f"\t{backoff / _LOG10:.7g}")
    yield "\n\\end\\"


def read_arpa(path: Path, *, max_ngrams: int | None = None) -> NGram:
    """Read a character n-gram model.

    Args:
        path: an ARPA file, gzipped if the name ends in ``.gz``.
        max_ngrams: a model with more n-grams is refused before they are read; each takes about 32 bytes of memory.

    Raises:
        LanguageModelError: the file is missing, damaged, truncated or too large, or a model of words.
    """
    is_zipped = path.suffix == ".gz"
    try:
        num_bytes = path.stat().st_size * (_MAX_COMPRESSION if is_zipped else 1)
        with gzip.open(path, "rt", encoding="utf-8-sig") if is_zipped else path.open(encoding="utf-8-sig") as file:
            return _read(_read_rows(file, path), path, sys.maxsize if max_ngrams is None else max_ngrams, num_bytes)
    except (OSError, EOFError, zlib.error) as error:
        raise LanguageModelError(
            f"cannot be read ({getattr(error, 'strerror', None) or error})",
            file=path,
            remedy="check the path, or copy it again",
            kind="missing" if isinstance(error, FileNotFoundError) else "damaged",
        ) from None
    except UnicodeDecodeError:
        raise LanguageModelError("not an ARPA file, as it is not UTF-8 text", file=path, kind="encoding") from None


def _read_rows(file: IO[str], path: Path) -> Iterator[str]:
    """Yield the lines of a file; refuse what a small compressed file can hold without end: a long line, blank lines."""
    num_blank = 0
    while row := file.readline(_MAX_ROW_LENGTH + 1):
        if len(row) > _MAX_ROW_LENGTH:
            raise _damaged(path, f"a line is longer than {_MAX_ROW_LENGTH:,} characters")
        num_blank = num_blank + 1 if row.isspace() else 0
        if num_blank > _MAX_BLANK_ROWS:
            raise _damaged(path, f"more than {_MAX_BLANK_ROWS:,} lines in succession are blank")
        yield row


def _read(file: Iterator[str], path: Path, max_ngrams: int, num_bytes: int) -> NGram:
    """Read a model from the lines of a file, which has at most ``num_bytes`` when it is unpacked."""
    counts = _read_counts(file, path)
    if sum(counts) * _MIN_ROW_BYTES > num_bytes:
        raise _damaged(path, f"its header gives {sum(counts):,} n-grams, more than the file has room for")
    if sum(counts) > max_ngrams:
        raise LanguageModelError(
            f"{sum(counts):,} n-grams are more than the {max_ngrams:,} allowed",
            file=path,
            remedy="prune the model, or raise max_ngrams",
            kind="too_large",
        )
    symbols: dict[str, int] = {}
    levels: list[Level] = []
    indices: dict[str, int] = {}
    for order, count in enumerate(counts, start=1):
        _expect_line(file, path, f"\\{order}-grams:")
        rows = [row.rstrip("\r\n").split("\t") for row in islice(file, count)]
        if len(rows) < count or any(len(row) < 2 for row in rows):
            raise _damaged(path, f"truncated: it ends before its {count:,} {order}-grams do")
        try:
            probabilities = _parse_logarithms([row[0] for row in rows])
            backoffs = _parse_logarithms([row[2] if len(row) > 2 else "0" for row in rows])
        except ValueError as error:
            raise _damaged(path, f"invalid number in its {order}-grams: {error}") from None
        ngrams = [row[1] for row in rows]
        if order == 1:
            symbols = _parse_symbols(ngrams, path)
            context, symbol = np.zeros(count, np.int64), np.arange(count)
        else:
            context, symbol = _parse_ngrams(ngrams, indices, symbols, path)
        by = np.lexsort((symbol, context))
        levels.append(Level(context[by], symbol[by], _to_natural(probabilities[by]), _to_natural(backoffs[by])))
        indices = {ngrams[row]: index for index, row in enumerate(by.tolist())}
    _expect_line(file, path, "\\end\\")
    for _ in islice(file, _MAX_BLANK_ROWS):  # gzip verifies its checksum at the end of the file
        pass
    return _add_unknown(NGram(tuple(symbols), tuple(levels)))


def _damaged(path: Path, problem: str) -> LanguageModelError:
    return LanguageModelError(problem, file=path, remedy="copy or create it again", kind="damaged")


def _parse_logarithms(numbers: list[str]) -> NDArray[np.float64]:
    """Parse logarithms of probabilities or of backoff weights, which may be minus infinity.

    Raises:
        ValueError: one is not a number, or so large that it is no such logarithm.
    """
    parsed = np.array([float(number) for number in numbers])
    if not (parsed <= -_IMPOSSIBLE).all():
        wrong = numbers[int(np.argmin(parsed <= -_IMPOSSIBLE))]
        raise ValueError(f"{wrong[:30]!r} is not the logarithm of a probability or of a backoff weight")
    return parsed


def _to_natural(log10: NDArray[np.float64]) -> Floats:
    return (np.maximum(log10, _IMPOSSIBLE) * _LOG10).astype(np.float32)


def _read_counts(file: Iterator[str], path: Path) -> list[int]:
    """Read the header, which gives the number of n-grams of each order."""
    if next((line for line in file if line.strip()), "").strip() != "\\data\\":
        raise LanguageModelError("not an ARPA file, as it does not begin with \\data\\", file=path, kind="foreign")
    counts: list[int] = []
    for line in file:
        match = _COUNT_LINE.match(line)
        if match is None or int(match[1]) != len(counts) + 1:
            break
        counts.append(int(match[2]))
    if not counts or not all(counts):
        raise _damaged(path, "its header does not give the number of n-grams")
    return counts


def _expect_line(file: Iterable[str], path: Path, expected: str) -> None:
    line = next((line.strip() for line in file if line.strip()), "the end of the file")
    if line != expected:
        raise _damaged(path, f"expected {expected}, found {line[:60]!r}")


def _parse_symbols(names: list[str], path: Path) -> dict[str, int]:
    """Return the ids of the symbols that the unigrams name."""
    symbols = [_SYMBOLS.get(name, name) for name in names]
    words = [symbol for symbol in symbols if len(symbol) != 1 and symbol not in (BEGIN, END, UNKNOWN)]
    if words:
        raise LanguageModelError(
            f"{len(words)} of its symbols are not single characters, such as {words[0]!r}",
            file=path,
            remedy="give a model of characters, with spaces written as <space>",
            kind="words",
        )
    if BEGIN not in symbols or END not in symbols:
        raise LanguageModelError(f"has no {BEGIN} and {END}", file=path, remedy="train it on whole lines")
    if len(set(symbols)) < len(symbols):
        duplicate = next(symbol for symbol in symbols if symbols.count(symbol) > 1)
        raise _damaged(path, f"the symbol {duplicate!r} is listed more than once")
    return {symbol: id for id, symbol in enumerate(symbols)}


def _parse_ngrams(
    ngrams: list[str], indices: Mapping[str, int], symbols: Mapping[str, int], path: Path
) -> tuple[Ints, Ints]:
    """Return the contexts and the last symbols of n-grams.

    Args:
        ngrams: as the file writes them.
        indices: of the n-grams of the level below.
        symbols: ids of the symbols.
        path: of the file, for error messages.
    """
    parts = [ngram.rpartition(" ") for ngram in ngrams]
    try:
        context = np.array([indices[before] for before, _, _ in parts], np.int64)
        symbol = np.array([symbols[_SYMBOLS.get(last, last)] for _, _, last in parts], np.int64)
    except KeyError as error:
        raise _damaged(path, f"{error.args[0]!r} is part of an n-gram, but not listed itself") from None
    return context, symbol


def _add_unknown(model: NGram) -> NGram:
    """Add `UNKNOWN`, with a negligible probability, to a model with a closed vocabulary."""
    if UNKNOWN in model.symbols:
        return model
    first, *others = model.levels
    level = Level(
        np.r_[first.context, 0],
        np.r_[first.symbol, len(model.symbols)],
        np.r_[first.log_probability, np.float32(_IMPOSSIBLE * _LOG10)],
        np.r_[first.log_backoff, np.float32(0)],
    )
    return NGram((*model.symbols, UNKNOWN), (level, *others))

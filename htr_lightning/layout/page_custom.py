"""Entries of the attribute ``custom`` of PAGE, which Transkribus writes: ``name {key:value; ...}``."""

import re
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from htr_lightning.layout.page import Span


class CustomEntry(NamedTuple):
    """An entry of a ``custom`` attribute: ``name {key:value; ...}``."""

    name: str
    values: dict[str, str]


def parse_custom(element: Any) -> list[CustomEntry]:
    """Return the entries of an element."""
    entries = []
    for part in element.get("custom", "").split("}"):
        name, brace, body = part.rpartition("{")
        if brace and name.split():
            pairs = (pair.partition(":") for pair in body.split(";"))
            values = {key.strip(): _unescape(value.strip()) for key, _, value in pairs if key.strip()}
            entries.append(CustomEntry(name.split()[-1], values))
    return entries


def _unescape(value: str) -> str:
    r"""Replace escapes such as ``\u0020``; pairs of surrogates become one character."""
    if "\\u" not in value:
        return value
    plain = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda match: chr(int(match[1], 16)), value)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def get_custom_index(element: Any) -> int | None:
    """Return the index of an element in reading order; None if it has none."""
    indices = (entry.values.get("index", "") for entry in parse_custom(element) if entry.name == "readingOrder")
    return parse_integer(next(indices, ""))


def parse_integer(written: str) -> int | None:
    """Return a number; None if it is none."""
    try:
        return int(written)
    except ValueError:
        return None


def build_spans(entries: list[CustomEntry], text: str) -> Iterator[Span]:
    """Yield the tagged parts of a text; see `htr_lightning.layout.page_xml.parse_page`."""
    for entry in entries:
        offset, length = (parse_integer(entry.values.get(key, "")) for key in ("offset", "length"))
        if offset is None or length is None or length < 0:
            continue
        start, end = _to_character_index(text, offset), _to_character_index(text, offset + length)
        if start == end and (length or not 0 <= offset <= _count_utf16_units(text)):
            continue
        if entry.name != "textStyle":
            yield Span(start, end - start, sys.intern(entry.name))
        elif start < end:
            flags = [key for key, value in entry.values.items() if value == "true" and key != "continued"]
            yield from (Span(start, end - start, sys.intern(flag)) for flag in flags)


def _count_utf16_units(text: str) -> int:
    """Return the length of a text as Transkribus, a Java program, counts it: characters beyond U+FFFF count twice."""
    return len(text.encode("utf-16-le")) // 2


def _to_character_index(text: str, offset: int) -> int:
    """Convert an offset in UTF-16 units, as Transkribus counts, to a character index, clipped to the text."""
    if text.isascii() or max(text) <= "\uffff":
        return min(max(offset, 0), len(text))
    units = text.encode("utf-16-le")[: 2 * max(offset, 0)]
    return len(units.decode("utf-16-le", "ignore"))

"""Markdown that is written by programs."""

import re

_FENCE = re.compile(r"(^ *```.*?^ *```$)", re.DOTALL | re.MULTILINE)


def escape_cell(text: str) -> str:
    """Return text for a cell of a table: one line, without characters that Markdown or HTML would take."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def split_fences(markdown: str) -> list[str]:
    """Split a page into text (even places) and fenced blocks (odd places)."""
    return _FENCE.split(markdown)

"""Editing marked text: spans that are struck out, unclear, or added by an editor."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from htr_lightning.image.files import DataError
from htr_lightning.layout.page import Span
from htr_lightning.text import clean_text

_SOFT_HYPHEN = "\u00ad"
SpanAction = Literal["keep", "delete", "drop_line"]


class MarkupRules:
    """Rules that turn the text of a layout file into the text that a recognizer should output.

    They are applied in this order: span actions, replacements, whitespace, soft hyphen, dropping of lines. A soft
    hyphen (U+00AD) at the end of a line is a visible one, and becomes ``-``.

    Args:
        spans: the action for each tag (``strikethrough``, ``unclear`` ...): ``keep`` the characters of the span,
            ``delete`` them, or ``drop_line``. Spans with other tags are kept.
        replace: pairs of a regular expression and its replacement, applied one after the other, for markers written
            in the text: ``[[">[^<]*<", ""]]`` deletes ``>struck out<``.
        drop_text: regular expressions; a line whose text contains a match of one of them is dropped.

    Raises:
        DataError: an invalid regular expression or an unknown action; the key is ``dataset.<argument>``.
    """

    def __init__(self, spans: Mapping[str, str], replace: Sequence[Sequence[str]], drop_text: Sequence[str]) -> None:
        for tag, action in spans.items():
            if action not in get_args(SpanAction):
                remedy = f"choose from {', '.join(get_args(SpanAction))}"
                raise DataError("unknown action", key=f"dataset.spans.{tag}", value=action, remedy=remedy)
        self._spans = dict(spans)
        self._replace = [compile_replacement(pair, "replace") for pair in replace]
        self._drop = [compile_pattern(pattern, "drop_text") for pattern in drop_text]

    def apply(self, text: str, spans: Sequence[Span] = ()) -> str | None:
        """Return the text to learn, with whitespace collapsed; None for a line to drop or without text."""
        actions = [(span, self._spans.get(span.tag, "keep")) for span in spans]
        if any(action == "drop_line" for _, action in actions):
            return None
        characters = list(text)
        for span, action in actions:
            if action == "delete":
                characters[span.start : span.start + span.length] = [""] * min(span.length, len(text) - span.start)
        text = "".join(characters)
        for pattern, replacement in self._replace:
            text = pattern.sub(replacement, text)
        text = clean_text(text)
        if text.endswith(_SOFT_HYPHEN):
            text = f"{text.rstrip(_SOFT_HYPHEN)}-"
        return None if any(pattern.search(text) for pattern in self._drop) else text or None


def compile_pattern(pattern: str, argument: str) -> re.Pattern[str]:
    """Compile a regular expression from the configuration.

    Raises:
        DataError: it is invalid; the key is ``dataset.<argument>``.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        problem = f"{pattern!r} is not a regular expression ({error})"
        raise DataError(problem, key=f"dataset.{argument}", remedy="correct it") from None


def compile_replacement(pair: Sequence[str], argument: str) -> tuple[re.Pattern[str], str]:
    """Compile a pair of a regular expression and its replacement from the configuration.

    Raises:
        DataError: it is invalid; the key is ``dataset.<argument>``.
    """
    if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
        remedy = "write [[expression, replacement], ...]"
        raise DataError(f"{pair!r} is not a pair of strings", key=f"dataset.{argument}", remedy=remedy)
    pattern, replacement = compile_pattern(pair[0], argument), pair[1]
    try:
        re.compile(f"{pair[0]}|").sub(replacement, "")  # the empty match raises if a referenced group does not exist
    except (re.error, IndexError) as error:
        problem = f"{replacement!r} cannot replace matches of {pair[0]!r} ({error})"
        raise DataError(problem, key=f"dataset.{argument}", remedy="correct the replacement") from None
    return pattern, replacement

"""What becomes of marked text: struck out, uncertain, added by an editor."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from htr_lightning.image.files import DataError
from htr_lightning.layout.page import Span
from htr_lightning.text import clean_text

Treatment = Literal["keep", "delete", "drop_line"]


class Markup:
    """Turns the text of a layout file into what a recognizer shall write.

    In this order: marked spans, replacements, whitespace, dropping.

    Args:
        spans: what becomes of a span with a tag (``strikethrough``, ``unclear`` ...): ``keep`` its characters,
            ``delete`` them, or ``drop_line``. Tags that are not named are kept.
        replace: pairs of a regular expression and what takes the place of each match, one after the other; for
            markers that are written in the text: ``[[">[^<]*<", ""]]`` deletes ``>struck out<``.
        drop_text: a line whose text one of these regular expressions is found in is left out.

    Raises:
        DataError: an expression that is none, or an unknown treatment; names ``dataset.<key>``.
    """

    def __init__(self, spans: Mapping[str, str], replace: Sequence[Sequence[str]], drop_text: Sequence[str]) -> None:
        for tag, treatment in spans.items():
            if treatment not in get_args(Treatment):
                raise DataError(f"dataset.spans.{tag}: {treatment!r} is none of {', '.join(get_args(Treatment))}")
        self._spans = dict(spans)
        self._replace = [_replacement(pair) for pair in replace]
        self._drop = [compiled(pattern, "drop_text") for pattern in drop_text]

    def __call__(self, text: str, spans: Sequence[Span] = ()) -> str | None:
        """Return the text to learn, whitespace collapsed; None for a line to leave out."""
        treatments = [(span, self._spans.get(span.tag, "keep")) for span in spans]
        if any(treatment == "drop_line" for _, treatment in treatments):
            return None
        characters = list(text)
        for span, treatment in treatments:
            if treatment == "delete":
                characters[span.start : span.start + span.length] = [""] * min(span.length, len(text) - span.start)
        text = "".join(characters)
        for pattern, by in self._replace:
            text = pattern.sub(by, text)
        text = clean_text(text)
        return None if any(pattern.search(text) for pattern in self._drop) else text or None


def compiled(pattern: str, key: str) -> re.Pattern[str]:
    """Compile a regular expression of the configuration.

    Raises:
        DataError: it is none; names ``dataset.<key>``.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        raise DataError(f"dataset.{key}: {pattern!r} is not a regular expression ({error})") from None


def _replacement(pair: Sequence[str]) -> tuple[re.Pattern[str], str]:
    if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
        raise DataError(f"dataset.replace: {pair!r} is not a pair; write [[expression, replacement], ...]")
    pattern, by = compiled(pair[0], "replace"), pair[1]
    try:
        re.compile(f"{pair[0]}|").sub(by, "")  # an empty match shows whether the groups it names are there
    except (re.error, IndexError) as error:
        raise DataError(f"dataset.replace: {by!r} cannot take the place of {pair[0]!r} ({error})") from None
    return pattern, by

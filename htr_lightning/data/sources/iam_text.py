"""Texts of the IAM database: built from the tokens of ``lines.txt``, or read from the XML."""

import re
from collections.abc import Iterable, Sequence

_QUOTES = ('"', "'")
_NO_SPACE_BEFORE = frozenset([".", ",", ";", ":", "!", "?", ")", "]", "}", "%", "..."])
_NO_SPACE_AFTER = frozenset("([{")
_NEVER_AFTER_OPENING_QUOTE = _NO_SPACE_BEFORE - {"..."}
_CONTRACTIONS = frozenset(["'s", "'d", "'ll", "'m", "'ve", "'t", "'re"])
_ENTITY = re.compile("&(quot|apos|amp|lt|gt|#34|#39);")
_CHARACTER_OF = {"quot": '"', "#34": '"', "apos": "'", "#39": "'", "amp": "&", "lt": "<", "gt": ">"}


def unescape_entities(text: str) -> str:
    """Replace XML entities: some attributes of the original XML files are escaped twice (``&amp;quot;``)."""
    return _ENTITY.sub(lambda match: _CHARACTER_OF[match[1]], text)


def join_tokens(tokens: Iterable[str]) -> str:
    """Join the tokens of a line with spaces, also around punctuation: ``tomorrow . Mr. Foot``.

    Contractions are attached to their word (``it|'s``) and the spaces within tokens (``M Ps``) deleted, as in the
    publications that report results for this form (Puigcerver 2017; Retsinas et al. 2022).
    """
    words: list[str] = []
    for token in (token.replace(" ", "") for token in tokens):
        if words and token.lower() in _CONTRACTIONS:
            words[-1] += token
        elif token:
            words.append(token)
    return " ".join(words)


def detokenize(lines: Sequence[Sequence[str]]) -> list[str]:
    """Join the tokens of lines with normal spacing: ``"|Yes|,|"|he|said|.`` becomes ``"Yes," he said.``.

    There is no space before full stops, closing brackets and contractions, nor after opening brackets. Whether a
    quotation mark opens or closes follows from its neighbors (see `_find_direction`), or else from the mark before it,
    also in an earlier line. This fails where a mark is missing or superfluous, and for a quotation that continues from
    another form, up to the first mark whose neighbors decide; so the result differs from the XML in some lines.

    Args:
        lines: the tokens of all lines of one form, from top to bottom.

    Returns:
        The text of each line.
    """
    opening: set[tuple[int, int]] = set()
    for quote in _QUOTES:
        positions = [(row, i) for row, tokens in enumerate(lines) for i, token in enumerate(tokens) if token == quote]
        directions = _alternate([_find_direction(lines[row], i) for row, i in positions])
        opening.update(position for position, opens in zip(positions, directions, strict=True) if opens)
    return [_join_line(tokens, {i for at, i in opening if at == row}) for row, tokens in enumerate(lines)]


def _find_direction(tokens: Sequence[str], i: int) -> bool | None:
    """Whether the quotation mark at ``i`` opens, judged by its neighbors; None if they do not decide."""
    if i == 0:
        return True  # no line begins with a closing mark,
    if i == len(tokens) - 1:
        return False  # and none ends with an opening one
    before, after = tokens[i - 1], tokens[i + 1]
    if tokens[i] in (before, after):
        return before == tokens[i]  # of two adjacent marks, the first closes
    if after in _NEVER_AFTER_OPENING_QUOTE:
        return False
    return True if before in _NO_SPACE_AFTER or before == ":" else None


def _alternate(directions: Sequence[bool | None]) -> list[bool]:
    """Fill in the unknown directions so that opening and closing marks alternate."""
    known = next(((i, opens) for i, opens in enumerate(directions) if opens is not None), (0, True))
    next_opens = known[1] == (known[0] % 2 == 0)
    result: list[bool] = []
    for opens in directions:
        result.append(next_opens if opens is None else opens)
        next_opens = not result[-1]
    return result


def _join_line(tokens: Sequence[str], opening: set[int]) -> str:
    text = ""
    attach_next = True  # without a space before the next token
    for i, token in enumerate(tokens):
        is_quote = token in _QUOTES
        attach = token in _NO_SPACE_BEFORE or token.lower() in _CONTRACTIONS or (is_quote and i not in opening)
        text += token if attach_next or attach else f" {token}"
        attach_next = token in _NO_SPACE_AFTER or (is_quote and i in opening)
    return text

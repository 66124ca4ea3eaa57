"""What the lines of the IAM database say: written from the tokens of ``lines.txt``, or read from the XML."""

import re
from collections.abc import Iterable, Sequence

_QUOTES = ('"', "'")
_TO_THE_LEFT = frozenset([".", ",", ";", ":", "!", "?", ")", "]", "}", "%", "..."])
_TO_THE_RIGHT = frozenset("([{")
_ENDS = _TO_THE_LEFT - {"..."}  # what no opening quotation mark stands before
_CONTRACTIONS = frozenset(["'s", "'d", "'ll", "'m", "'ve", "'t", "'re"])
_ESCAPED = re.compile("&(quot|apos|amp|lt|gt|#34|#39);")
_UNESCAPED = {"quot": '"', "#34": '"', "apos": "'", "#39": "'", "amp": "&", "lt": "<", "gt": ">"}


def unescaped(text: str) -> str:
    """Undo the second escaping that some attributes of the genuine XML went through: ``&amp;quot;`` in the file."""
    return _ESCAPED.sub(lambda match: _UNESCAPED[match[1]], text)


def tokenized(tokens: Iterable[str]) -> str:
    """Write the tokens of a line as they are, with a space between them: ``tomorrow . Mr. Foot``.

    Contractions are joined to their word (``it|'s``) and the spaces inside of tokens (``M Ps``) dropped, as the
    publications that measure on this form do it (Puigcerver 2017; Retsinas et al. 2022).
    """
    words: list[str] = []
    for token in (token.replace(" ", "") for token in tokens):
        if words and token.lower() in _CONTRACTIONS:
            words[-1] += token
        elif token:
            words.append(token)
    return " ".join(words)


def detokenized(lines: Sequence[Sequence[str]]) -> list[str]:
    """Write the tokens of lines as one writes: ``"|Yes|,|"|he|said|.`` becomes ``"Yes," he said.`` again.

    Stops, closing brackets and contractions stand at the word before them, opening brackets at the word after.
    Whether a quotation mark opens or closes is taken from its place (see `_cue`) or else from the mark before it,
    also of an earlier line. That fails where a mark is missing or too many, and for a quotation that goes on from
    another form as long as no mark of this one tells; so the result differs here and there from what the XML says.

    Args:
        lines: the tokens of all lines of one form, from top to bottom.

    Returns:
        As many texts.
    """
    opens: set[tuple[int, int]] = set()
    for quote in _QUOTES:
        places = [(row, i) for row, tokens in enumerate(lines) for i, token in enumerate(tokens) if token == quote]
        resolved = _alternate([_cue(lines[row], i) for row, i in places])
        opens.update(place for place, opening in zip(places, resolved, strict=True) if opening)
    return [_joined(tokens, {i for at, i in opens if at == row}) for row, tokens in enumerate(lines)]


def _cue(tokens: Sequence[str], i: int) -> bool | None:
    """Whether the quotation mark at ``i`` opens, by what stands beside it; None if that does not tell."""
    if i == 0:
        return True  # nobody begins a line with a closing mark,
    if i == len(tokens) - 1:
        return False  # or ends it with an opening one
    before, after = tokens[i - 1], tokens[i + 1]
    if tokens[i] in (before, after):
        return before == tokens[i]  # of two side by side, the first closes
    if after in _ENDS:
        return False
    return True if before in _TO_THE_RIGHT or before == ":" else None


def _alternate(cues: Sequence[bool | None]) -> list[bool]:
    """Fill in, between the marks that are known, that opening and closing ones take turns."""
    known = next(((i, cue) for i, cue in enumerate(cues) if cue is not None), (0, True))
    opening = known[1] == (known[0] % 2 == 0)
    result: list[bool] = []
    for cue in cues:
        result.append(opening if cue is None else cue)
        opening = not result[-1]
    return result


def _joined(tokens: Sequence[str], opens: set[int]) -> str:
    text = ""
    close = True  # no space before what comes next
    for i, token in enumerate(tokens):
        is_quote = token in _QUOTES
        to_the_left = token in _TO_THE_LEFT or token.lower() in _CONTRACTIONS or (is_quote and i not in opens)
        text += token if close or to_the_left else f" {token}"
        close = token in _TO_THE_RIGHT or (is_quote and i in opens)
    return text

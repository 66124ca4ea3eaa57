"""Alternatives: what else the characters of a text, and its doubtful words, may be."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from htr_lightning.charset import BLANK, Charset

Alternatives = tuple[tuple[tuple[str, float], ...], ...]
"""For each character of a text, what else it may be: a character, or an empty string for none, with its probability."""

_MIN_PROBABILITY = 0.01


def find_alternatives(
    log_probs: NDArray[np.float32],
    spans: NDArray[np.int64],
    text: Sequence[int],
    charset: Charset,
    number: int,
) -> Alternatives:
    """Find the most probable other classes in the frame in which each character is most probable.

    Args:
        log_probs: ``(T, K)`` of a line.
        spans: ``(L, 2)`` frames of the characters, see `htr_lightning.decode.alignment.align`.
        text: L class ids.
        charset: of the classes.
        number: of alternatives of each character; 0 for none.

    Returns:
        For each character its alternatives, the most probable first; those that are hardly possible are left out.
        Empty if ``number`` is 0.
    """
    if not number:
        return ()
    found = []
    for id, (start, end) in zip(text, spans.tolist(), strict=True):
        frame = log_probs[start + int(log_probs[start:end, id].argmax())]
        best = np.argpartition(-frame, min(number, len(frame) - 1))[: number + 1]
        order = sorted((other for other in best.tolist() if other != id), key=lambda other: -frame[other])
        probabilities = ((other, float(np.exp(frame[other]))) for other in order[:number])
        found.append(
            tuple(
                ("" if other == BLANK else charset.decode_visual([other]), probability)
                for other, probability in probabilities
                if probability >= _MIN_PROBABILITY
            )
        )
    return tuple(found)


def suggest_words(
    word: str, confidences: Sequence[float], alternatives: Alternatives, number: int, *, max_changes: int = 2
) -> list[str]:
    """Suggest other readings of a word, which replace its least certain characters; the most probable come first.

    Args:
        word: L characters.
        confidences: ``(L,)`` of its characters.
        alternatives: of its characters.
        number: of suggestions at most.
        max_changes: how many characters may differ from the word.
    """
    doubtful = sorted(range(len(word)), key=lambda i: confidences[i])[:3]
    scored: dict[str, float] = {}
    for count in range(1, max_changes + 1):
        for places in itertools.combinations(sorted(doubtful), count):
            for choice in itertools.product(*(alternatives[i] for i in places)):
                characters, ratio = list(word), 1.0
                for i, (character, probability) in zip(places, choice, strict=True):
                    characters[i] = character
                    ratio *= probability / max(confidences[i], 1e-6)
                text = "".join(characters).strip()
                if text and text != word and " " not in text:
                    scored[text] = max(ratio, scored.get(text, 0.0))
    return sorted(scored, key=lambda text: -scored[text])[:number]

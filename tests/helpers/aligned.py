"""Frames of lines as a recognizer would compute them, for tests of alignment."""

import numpy as np

from htr_lightning.aligning.lattice import LineFrames
from htr_lightning.charset import Charset

LETTERS = "abcdefghijklmnopqrstuvwxyzéèA BCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,'-"
CHARSET = Charset(LETTERS)


def make_frames(text: str, errors: float = 0.0, seed: int = 0, charset: Charset = CHARSET) -> LineFrames:
    """Return frames in which a text is read: a frame a character, a blank between them, some characters wrong."""
    generator = np.random.default_rng(seed)
    ids = charset.encode(text)
    classes = [0]
    for id in ids:
        classes += [int(generator.integers(1, charset.num_classes)) if generator.random() < errors else id, 0]
    log_probs = np.full((len(classes), charset.num_classes), np.log(0.05 / (charset.num_classes - 1)), np.float32)
    log_probs[np.arange(len(classes)), classes] = np.log(0.95)
    return LineFrames(log_probs)

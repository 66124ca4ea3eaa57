"""A kind of input for each fault, to see that the fuzzer notices it."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
from outcome import READ, WrongResultError

from htr_lightning.errors import InputError


class Planted:
    """A program with one fault.

    Args:
        name: of the fault, one of `outcome.FAULTS`, or an outcome that is none.
    """

    rewrites_input = False

    def __init__(self, name: str) -> None:
        self.name = name

    def write(self, random: Random, folder: Path) -> None:
        """Write a file."""
        (folder / "a.txt").write_text(f"{random.random()}")

    def read(self, given: None, folder: Path, out: Path) -> str:
        """Do what is wrong."""
        _ACTS[self.name](folder, out)
        return READ


def _raise(error: BaseException) -> None:
    raise error


_ACTS: dict[str, Callable[[Path, Path], object]] = {
    "read": lambda folder, out: None,
    "refused": lambda folder, out: _raise(InputError("it is empty", file="a.txt", remedy="fill it")),
    "traceback": lambda folder, out: _raise(KeyError("a")),
    "sentence": lambda folder, out: _raise(InputError("<class 'int'>")),
    "wrong result": lambda folder, out: _raise(WrongResultError("one")),
    "wrote over input": lambda folder, out: (folder / "a.txt").write_text("b"),
    "partial file": lambda folder, out: (out / ".a.txt-1.partial").write_text("b"),
    "printed": lambda folder, out: os.write(2, b"libtiff: warning"),
    "hang": lambda folder, out: time.sleep(1000),
    "memory": lambda folder, out: (np.ones(1 << 30, np.uint8), time.sleep(1000)),
    "crash": lambda folder, out: os.abort(),
}

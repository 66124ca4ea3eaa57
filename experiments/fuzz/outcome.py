"""Judging what a front door of the program did with an input."""

import contextlib
import io
import logging
import re
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any, Protocol

from htr_lightning.errors import InputError

READ, REFUSED = "read", "refused"
PRINTED = "printed"
"""Read or refused, and a library wrote a message of its own to the terminal, as libtiff does."""
FAULTS = (
    "traceback",
    "sentence",
    "wrong result",
    "wrote over input",
    "partial file",
    "hang",
    "memory",
    "crash",
)
_MAX_SENTENCE = 3000  # characters; a configuration may have many problems, each on a line
_UNCLEAR = re.compile(r"Traceback|<class|object at 0x|\x1b|[\0-\x08\x0b-\x1f\x7f]")


class WrongResultError(Exception):
    """A result that breaks a promise of the program."""


class Kind(Protocol):
    """A kind of input.

    Attributes:
        name: in reports.
        rewrites_input: whether the program may write its input again.
    """

    name: str
    rewrites_input: bool

    def write(self, random: Random, folder: Path) -> Any:
        """Write an input into a folder; return what `read` needs to know of it."""
        ...

    def read(self, given: Any, folder: Path, out: Path) -> str:
        """Give the input to the program; return `READ` or `REFUSED`.

        Raises:
            InputError: the program refuses the input.
            WrongResultError: its result is wrong.
        """
        ...


@dataclass(frozen=True)
class Outcome:
    """What became of an input.

    Attributes:
        kind: of the input.
        result: `READ`, `REFUSED` or one of `FAULTS`.
        detail: the sentence, or the traceback.
    """

    kind: str
    result: str
    detail: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the fields."""
        return asdict(self)


def require(condition: object, problem: str) -> None:
    """Check a promise of the program.

    Raises:
        WrongResultError: it is broken.
    """
    if not condition:
        raise WrongResultError(problem)


def run_input(kind: Kind, random: Random, place: Path) -> Outcome:
    """Make an input, give it to the program, and judge the outcome.

    Args:
        kind: of the input.
        random: what is drawn from.
        place: where a folder is made for it, and removed.
    """
    folder = Path(tempfile.mkdtemp(dir=place, prefix="input-"))
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    try:
        given = kind.write(random, folder / "in")
        before = _digest(folder / "in")
        result, detail = _read(kind, given, folder)
        after = _digest(folder / "in")
        changed = [name for name, digest in before.items() if after.get(name) != digest]
        if result in (READ, REFUSED) and not kind.rewrites_input and changed:
            result, detail = "wrote over input", ", ".join(changed)
        partial = [path.name for path in folder.rglob("*.partial")]
        if result in (READ, REFUSED) and partial:
            result, detail = "partial file", ", ".join(partial)
        return Outcome(kind.name, result, detail.replace(str(folder), "FOLDER"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read(kind: Kind, given: Any, folder: Path) -> tuple[str, str]:
    try:
        logging.getLogger().handlers[:] = [logging.NullHandler()]  # messages are logged on purpose
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a user would see them
            warnings.simplefilter("ignore", ResourceWarning)
            return kind.read(given, folder / "in", folder / "out"), ""
    except InputError as error:
        return check_sentence(str(error))
    except WrongResultError as error:
        return "wrong result", str(error)
    except (Exception, SystemExit, KeyboardInterrupt):
        return "traceback", traceback.format_exc()


def check_sentence(sentence: str) -> tuple[str, str]:
    """Return whether a message is one that users understand, and the message."""
    is_clear = sentence.strip() and len(sentence) <= _MAX_SENTENCE and not _UNCLEAR.search(sentence)
    return (REFUSED if is_clear else "sentence"), sentence


def run_command(main: Callable[[], object], argv: list[str]) -> str:
    """Run the main function of a command; return `READ`, or `REFUSED` if it ends with a message.

    Raises:
        InputError: the command refused its input; has its message.
        WrongResultError: it ended without a message.
    """
    before, output, errors = sys.argv, io.StringIO(), io.StringIO()
    sys.argv = argv
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            main()
        return READ
    except SystemExit as end:
        message = end.code if isinstance(end.code, str) else errors.getvalue()
        if not end.code:
            return READ
        if not message.strip():
            raise WrongResultError(f"the command ended with {end.code} and no message") from None
        raise InputError(message) from None
    finally:
        sys.argv = before


def judge_process(status: int, output: str, errors: str) -> str:
    """Judge a process by its exit status and what it printed.

    Raises:
        InputError: it refused its input.
        WrongResultError: it crashed, or printed a traceback.
    """
    require("Traceback" not in errors, f"status {status}: {errors[-3000:]}")
    require(status in (0, 1, 2), f"status {status}: {errors[-3000:]}")
    if status:
        raise InputError(errors or output)  # doctor prints its findings
    return READ


def _digest(folder: Path) -> dict[str, str]:
    return {str(path): blake2b(path.read_bytes()).hexdigest() for path in _files(folder)}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())

"""Output of commands: results, errors as one sentence, and the exit status."""

import contextlib
import sys
from collections.abc import Iterator

from htr_lightning.device import DeviceError
from htr_lightning.errors import InputError


class UsageError(InputError):
    """The command line is wrong: options that contradict each other, or a value that cannot be used."""


class ExitError(Exception):
    """The command ends with a message and an exit status.

    Args:
        message: for the user; empty for none.
        status: exit status.
    """

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


@contextlib.contextmanager
def exit_with_message() -> Iterator[None]:
    """Turn an `InputError` or an `ExitError` into an exit with its message; decorates the main functions of commands.

    Raises:
        SystemExit: with the message, which Python prints, and thus with status 1; if the command line is wrong, with
            status 2.
    """
    try:
        yield
    except (UsageError, DeviceError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    except ExitError as error:
        if error.status == 1:
            raise SystemExit(str(error)) from None
        if str(error):
            print(error, file=sys.stderr)
        raise SystemExit(error.status) from None
    except InputError as error:
        raise SystemExit(str(error)) from None


def print_error(message: str) -> None:
    """Print a sentence on standard error."""
    print(message, file=sys.stderr)


def print_result(text: object) -> None:
    """Print a result, as `write_stdout` writes it.

    Raises:
        InputError: it cannot be written.
        SystemExit: its reader, such as ``head``, has ended.
    """
    write_stdout(f"{text}\n")


def write_stdout(text: str) -> None:
    """Write a result to the standard output at once.

    Raises:
        InputError: it cannot be written.
        SystemExit: its reader, such as ``head``, has ended.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = None  # or Python would report the error again when it exits
        raise SystemExit(1) from None
    except OSError as error:
        raise InputError(f"The result cannot be printed ({error.strerror or error})") from None

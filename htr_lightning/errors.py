"""The error for problems with a user's files and settings, with fields from which its message is built."""

import re
from pathlib import Path
from typing import Any

_NOT_GIVEN = object()
_CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f]")  # all but tabs and line breaks
_MAX_LENGTH = 2000  # characters of a line of a message


class InputError(ValueError):
    """A problem that the user can fix. ``str(error)`` is the message: place, problem, remedy.

    Attributes:
        problem: what is wrong, such as ``the file is empty (0 bytes)``.
        remedy: what to do about it, in the imperative.
        file: the file that has the problem; None if it is in no file.
        line_id: id of the line of handwriting that has the problem.
        key: of the configuration, or option of the command line, such as ``dataset.root`` or ``--out``.
        value: of the key.
        kind: a word by which programs distinguish problems, such as ``missing`` or ``damaged``.
    """

    def __init__(
        self,
        problem: str,
        *,
        remedy: str = "",
        file: Path | str | None = None,
        line_id: str = "",
        key: str = "",
        value: Any = _NOT_GIVEN,
        kind: str = "",
    ) -> None:
        super().__init__(problem)
        self.problem, self.remedy, self.file, self.kind = problem, remedy, file, kind
        self.line_id, self.key, self.value = line_id, key, value

    def __str__(self) -> str:
        sentence = ": ".join([*self._places(), self.problem])
        return _make_printable(f"{sentence}; {self.remedy}" if self.remedy else sentence)

    def _places(self) -> list[str]:
        sign = " " if self.key.startswith("-") else "="  # --out FOLDER, but dataset.root=FOLDER
        key = self.key if self.value is _NOT_GIVEN else f"{self.key}{sign}{self.value}" if self.key else ""
        file = "" if self.file is None else str(self.file)
        # A line is often called after its file.
        line = "" if self.line_id and self.line_id in f"{file} {self.problem}" else self.line_id
        # The names of files may hold line breaks; a configuration may have several problems, each on a line.
        return [place.replace("\n", "<U+000A>") for place in (key, line, file) if place]

    def with_line_id(self, line_id: str) -> "InputError":
        """Return the same error with the id of a line, unless it has one already."""
        return self if self.line_id else self.with_fields(line_id=line_id)

    def with_key_prefix(self, key: str, new: str) -> "InputError":
        """Return the same error with another prefix of its keys, such as for a dataset within a mixture.

        Args:
            key: the prefix to replace, such as ``dataset``.
            new: the prefix in this configuration, such as ``dataset.sources.real``.
        """
        renamed = {name: getattr(self, name).replace(f"{key}.", f"{new}.") for name in ("problem", "remedy", "key")}
        return self.with_fields(**renamed)

    def with_fields(self, **fields: Any) -> "InputError":
        """Return the same error with other values of some fields."""
        return type(self)(**(self._fields() | fields))

    def _fields(self) -> dict[str, Any]:
        names = ("problem", "remedy", "file", "line_id", "key", "value", "kind")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not _NOT_GIVEN}

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self._fields())


def _make_printable(message: str) -> str:
    """Escape control characters, which a damaged file may contain and a terminal obeys, and shorten very long lines."""
    rows = _CONTROL.sub(lambda match: f"<U+{ord(match[0]):04X}>", message).split("\n")
    half = _MAX_LENGTH // 2
    return "\n".join(row if len(row) <= _MAX_LENGTH else f"{row[:half]} ... {row[-half:]}" for row in rows)


def _restore(kind: type[InputError], fields: dict[str, Any]) -> InputError:
    return kind(**fields)

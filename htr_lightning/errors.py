"""What goes wrong with a user's files and settings, as fields; worded here and nowhere else."""

from pathlib import Path
from typing import Any

_NOT_GIVEN = object()


class InputError(ValueError):
    """Something that the user can mend. ``str(error)`` is the sentence: the place, the problem, the remedy.

    Attributes:
        problem: what is wrong, such as ``the file is empty (0 bytes)``.
        remedy: what to do about it, in the imperative.
        file: where it is wrong; None if it is in no file.
        line_id: of the line of handwriting that it concerns.
        key: of the configuration, or option of the command line, such as ``dataset.root`` or ``--out``.
        value: of the key.
        kind: what programs tell problems apart by, such as ``missing`` or ``damaged``.
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
        return f"{sentence}; {self.remedy}" if self.remedy else sentence

    def _places(self) -> list[str]:
        sign = " " if self.key.startswith("-") else "="  # --out FOLDER, but dataset.root=FOLDER
        key = self.key if self.value is _NOT_GIVEN else f"{self.key}{sign}{self.value}" if self.key else ""
        file = "" if self.file is None else str(self.file)
        # A line is often called after its file.
        line = "" if self.line_id and self.line_id in f"{file} {self.problem}" else self.line_id
        return [place for place in (key, line, file) if place]

    def of_line(self, line_id: str) -> "InputError":
        """Return the same error of a certain line, unless it names one already."""
        return self if self.line_id else self.with_fields(line_id=line_id)

    def under(self, key: str, new: str) -> "InputError":
        """Return the same error for a part whose keys are found elsewhere, such as a data set within a mixture.

        Args:
            key: beginning of the keys that the error names, such as ``dataset``.
            new: what they begin with in this configuration, such as ``dataset.sources.real``.
        """
        moved = {name: getattr(self, name).replace(f"{key}.", f"{new}.") for name in ("problem", "remedy", "key")}
        return self.with_fields(**moved)

    def with_fields(self, **fields: Any) -> "InputError":
        """Return the same error with other values of some fields."""
        return type(self)(**(self._fields() | fields))

    def _fields(self) -> dict[str, Any]:
        names = ("problem", "remedy", "file", "line_id", "key", "value", "kind")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not _NOT_GIVEN}

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self._fields())


def _restore(kind: type[InputError], fields: dict[str, Any]) -> InputError:
    return kind(**fields)

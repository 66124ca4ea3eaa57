"""Where scans come from and results go: local paths, and addresses in remote storage."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from htr_lightning.errors import InputError

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


class Url(str):
    """An address in remote storage, such as ``s3://bucket/scans``, without a slash at its end."""

    __slots__ = ()

    @property
    def scheme(self) -> str:
        """Such as ``s3``, in lower case."""
        return self.partition("://")[0].lower()

    @property
    def parent(self) -> "Url":
        """The folder."""
        return Url(self.rpartition("/")[0])


Place = Path | Url


def parse_place(text: str | Path) -> Place:
    """Return a `Url` for what looks like one, and a path for everything else."""
    if isinstance(text, str) and _URL.match(text):
        return Url(text.rstrip("/"))
    return Path(text)


@dataclass(frozen=True)
class Places:
    """Where the scans of a run come from, and where its results go.

    Attributes:
        scans: files, and folders to search for them.
        out: folder for the results.
        layouts: folder with ALTO or PAGE files; None for those beside the scans.
        keep_folders: results of single files keep the folders below the one that all of these files have in common.
    """

    scans: Sequence[Place]
    out: Place
    layouts: Place | None = None
    keep_folders: bool = False

    @property
    def is_remote(self) -> bool:
        """Whether anything of it is in remote storage."""
        return any(isinstance(place, Url) for place in (*self.scans, self.out, self.layouts))


def read_list(file: Path) -> list[Place]:
    """Return the paths and addresses in a text file, one on each line; blank lines are ignored.

    Raises:
        InputError: the file cannot be read, or is empty.
    """
    try:
        rows = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", key="--list", value=file, remedy="name a text file", kind="missing"
        ) from None
    except ValueError:
        remedy = "name a text file with one path or address on each line"
        raise InputError("it is not UTF-8 text", key="--list", value=file, remedy=remedy, kind="format") from None
    places = [parse_place(row.strip()) for row in rows if row.strip()]
    if not places:
        raise InputError("it names no file", key="--list", value=file, remedy="write one path on each line")
    return places

"""Where the remote files that are worked on at present are on this machine."""

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from htr_lightning.errors import InputError
from htr_lightning.reading.folder_work import FolderWork
from htr_lightning.reading.page_jobs import PagePlan
from htr_lightning.reading.storage.places import Place, Url
from htr_lightning.reading.storage.store import Store

_THREADS = 8
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Stage:
    """A temporary folder in which each remote file has a place: local paths and addresses follow from each other.

    ``s3://bucket/scans/p.png`` is at ``FOLDER/s3/bucket/scans/p.png``.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="htr-lightning-")).resolve()
        self._prefixes: dict[str, str] = {}  # name of a folder in it -> how its addresses begin
        self._stores: dict[str, Store] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Delete all files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def localize(self, place: Place) -> Path:
        """Return the local path of a place.

        Raises:
            InputError: the address has a part that no path can have.
        """
        if not isinstance(place, Url):
            return place
        scheme, _, rest = place.partition("://")
        name = f"{scheme}-root" if rest.startswith("/") else scheme
        self._prefixes[name] = f"{scheme}:///" if rest.startswith("/") else f"{scheme}://"
        parts = [part for part in rest.split("/") if part]
        if not is_safe(parts):
            raise InputError("this address cannot be used", file=place, remedy="leave out the parts . and ..")
        return self.folder.joinpath(name, *parts)

    def find_url(self, path: Path) -> Url | None:
        """Return the address of a file in the stage; None for another file."""
        try:
            name, *parts = path.relative_to(self.folder).parts
        except ValueError:
            return None
        return Url(self._prefixes[name] + "/".join(parts))

    def rename(self, text: str) -> str:
        """Return a text with addresses in place of paths in the stage."""
        for name, prefix in self._prefixes.items():
            text = text.replace(f"{self.folder / name}{os.sep}", prefix)
        return text

    def rename_error(self, error: InputError) -> InputError:
        """Return an error that names addresses."""
        fields = {name: getattr(error, name) for name in ("problem", "remedy", "file", "value")}
        return error.with_fields(**{n: self.rename(str(f)) for n, f in fields.items() if isinstance(f, str | Path)})

    def get_store(self, url: Url) -> Store:
        """Return the storage of an address, which is opened once."""
        root = "/".join(url.split("/", 3)[:3])
        with self._lock:
            if root not in self._stores:
                self._stores[root] = Store(url)
            return self._stores[root]

    def localize_plan(self, work: FolderWork) -> PagePlan:
        """Return the plan of a run with the local paths of its folders."""
        out, layouts = work.places.out, work.places.layouts
        return replace(work.plan, out=self.localize(out), layouts=None if layouts is None else self.localize(layouts))


@contextlib.contextmanager
def open_stage(work: FolderWork) -> Iterator[tuple[Stage, FolderWork]]:
    """Make a stage for the block, and yield it with the same work, whose messages name addresses."""
    stage = Stage()

    def rename(tell: Callable[[str], None]) -> Callable[[str], None]:
        return lambda sentence: tell(stage.rename(sentence))

    try:
        yield stage, replace(work, report=rename(work.report), warn=rename(work.warn or work.report))
    except InputError as error:
        raise stage.rename_error(error) from None
    finally:
        stage.close()


def is_safe(parts: Iterable[str]) -> bool:
    """Return whether the parts of an address can be parts of a local path."""
    return not any(part in ("", ".", "..") or "\0" in part or (os.sep != "/" and os.sep in part) for part in parts)


def run_in_threads(work: Callable[[Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
    """Yield what a function returns for each item, in order; several run at the same time."""
    with ThreadPoolExecutor(_THREADS) as pool:
        futures: list[Any] = [pool.submit(work, item) for item in items]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()

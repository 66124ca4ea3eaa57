"""Reading of remote files with Ray: each worker downloads, reads and writes its own blocks."""

import platform
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from htr_lightning.errors import InputError
from htr_lightning.reading.folder_work import FolderWork
from htr_lightning.reading.ray_engine import RayEngine
from htr_lightning.reading.ray_pages import add_to_row, build_row, run_on_ray, start_worker
from htr_lightning.reading.storage.blocks import BlockReader
from htr_lightning.reading.storage.run import check_place_writable, write_remote_index
from htr_lightning.reading.storage.stage import Stage, open_stage
from htr_lightning.reading.storage.survey import StagedFile, Survey
from htr_lightning.reading.work import FolderResult

if TYPE_CHECKING:
    from htr_lightning.reading.api import Reader

_PARTS = 4  # of a block, so that transfers overlap with reading


class StagedPageWorker:
    """Reads blocks of remote files in a process of its own.

    Args:
        make_reader: loads the model.
        work: of the run.
        folder: the working directory of the run, to which local paths are relative.
    """

    def __init__(self, make_reader: Callable[[], "Reader"], work: FolderWork, folder: str) -> None:
        self._row: dict[str, list[Any]] = {}
        read, self._fatal = start_worker(make_reader, folder)
        self._stage = Stage()
        work = replace(work, report=self._add("problems"), warn=self._add("warnings"))
        self._blocks = None if read is None else BlockReader(work, self._stage, read)

    def _add(self, key: str) -> Callable[[str], None]:
        return lambda sentence: self._row[key][0].append(self._stage.rename(sentence))

    def __call__(self, block: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Read the files of a block: the column ``item`` holds what `StagedFile.to_json` returns."""
        items = [StagedFile.from_json(str(text)) for text in block["item"]]
        row = self._row = build_row(len(items), self._fatal)
        if self._blocks is not None:
            try:
                for part in self._blocks.read(items, max(1, len(items) // _PARTS)):
                    add_to_row(row, part.result)
            except InputError as error:
                row["fatal"][0] = f"{platform.node()}: {self._stage.rename_error(error)}"
        return row


def read_remote_on_ray(work: FolderWork, make_reader: Callable[[], "Reader"], engine: RayEngine) -> FolderResult:
    """Read scans of pages with Ray; see `htr_lightning.reading.ray_pages.read_folder_on_ray`.

    Raises:
        InputError: nothing was read, or remote storage fails.
        OutputError: results cannot be written; those of all blocks before are complete.
    """
    import pyarrow as pa

    with open_stage(work) as (stage, staged):
        items, num_done = Survey(staged, stage).find_items()
        if items:
            check_place_writable(stage, work.places.out)
        table = pa.table({"item": pa.array([item.to_json() for item in items], pa.string())})
        plain = replace(work, report=print, warn=None, progress=None)
        result = run_on_ray(StagedPageWorker, table, (make_reader, plain, str(Path.cwd())), engine, staged)
        write_remote_index(stage, work.places.out)
    return replace(result, num_skipped=num_done + result.num_skipped)

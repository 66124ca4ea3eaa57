"""Reading of many pages with Ray: worker processes on this machine or on a cluster, which share a folder of results.

Each worker holds the model and one thread. Rows hold paths only; images and results are read and written by the
workers, so that all machines must see the same folders. What a worker writes does not depend on the others: a page is
read again only if its worker died before its files were complete.
"""

import contextlib
import importlib.util
import logging
import os
import platform
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from htr_lightning.device import Shard
from htr_lightning.errors import InputError
from htr_lightning.image.folder import FileFinder
from htr_lightning.image.scan import find_scan_files
from htr_lightning.reading.page_checks import build_conflict, check_files
from htr_lightning.reading.page_jobs import PagePlan, report_layouts
from htr_lightning.reading.records.index import write_index
from htr_lightning.reading.records.journal import Journal
from htr_lightning.reading.records.settings import Settings, check_settings
from htr_lightning.reading.work import FolderResult, Progress, describe_edited, write_pages

if TYPE_CHECKING:
    import pyarrow as pa

    from htr_lightning.reading.api import Reader

log = logging.getLogger(__name__)
_FILES_PER_BLOCK, _MAX_BLOCKS = 8, 4000
_CHUNK = 1000  # files that are checked at once
_CONNECT_S = 10.0
_RAY_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent anywhere
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
_OBJECT_STORE_BYTES = 200 * 2**20  # rows are small


@dataclass(frozen=True)
class RayEngine:
    """Where the workers are.

    Attributes:
        workers: number of worker processes; None for one for each core of this machine, or of the cluster.
        address: of a Ray cluster, ``auto`` for the one that this machine belongs to; None for this machine alone.

    Raises:
        InputError: Ray is not installed.
    """

    workers: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if importlib.util.find_spec("ray") is None or importlib.util.find_spec("pandas") is None:
            remedy = "run: pip install 'htr-lightning[ray]'"
            raise InputError("Ray is not installed", key="--engine", value="ray", remedy=remedy)

    @contextlib.contextmanager
    def connect(self) -> Iterator[int]:
        """Start or join the cluster for the block, and yield the number of workers.

        Raises:
            InputError: there is no such cluster.
        """
        for name, value in _RAY_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        logging.getLogger("ray").setLevel(logging.ERROR)
        import ray

        common: dict[str, Any] = {"logging_level": logging.WARNING, "log_to_driver": False}
        if self.address is None:
            workers = self.workers or os.cpu_count() or 1
            # One more than there are workers: Ray schedules the rest of the work there, and hangs without it.
            ray.init(num_cpus=workers + 1, include_dashboard=False, object_store_memory=_OBJECT_STORE_BYTES, **common)
        else:
            self._check_address(self.address)
            try:
                ray.init(address=self.address, **common)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise self._build_error(str(error).strip().split("\n")[0]) from None
            workers = self.workers or max(1, int(_count_cpus(ray)) - 1)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        try:
            yield workers
        finally:
            ray.shutdown()

    def _check_address(self, address: str) -> None:
        """Check that somebody listens there, as Ray would wait for minutes.

        Raises:
            InputError: nobody does.
        """
        host, colon, port = address.removeprefix("ray://").rpartition(":")
        if address in ("auto", "local"):
            return
        if not (colon and port.isdecimal()):
            raise self._build_error("it is not HOST:PORT")
        try:
            socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
        except (OSError, OverflowError) as error:
            raise self._build_error(f"nobody answers ({error})") from None

    def _build_error(self, reason: str) -> InputError:
        remedy = "start one with ray start --head, or leave the option out to use this machine"
        return InputError(f"there is no such Ray cluster: {reason}", key="--address", value=self.address, remedy=remedy)


def _count_cpus(ray: Any) -> float:
    """Return the number of cores of a cluster."""
    return float(ray.cluster_resources().get("CPU", 2))


class PageWorker:
    """Reads blocks of files in a process of its own.

    Args:
        make_reader: loads the model.
        plan: which files to write.
        settings: see `Journal`.
        overwrite: replace files that exist.
        folder: the working directory of the run, to which paths are relative.
    """

    def __init__(
        self, make_reader: Callable[[], "Reader"], plan: PagePlan, settings: Settings, overwrite: bool, folder: str
    ) -> None:
        from htr_lightning.reading.folder import read_jobs

        self.plan, self.overwrite, self.fatal = plan, overwrite, ""
        os.environ["OMP_NUM_THREADS"] = "1"  # before PyTorch or ONNX Runtime is imported
        try:
            os.chdir(folder)
            reader = make_reader()
        except (OSError, InputError) as error:
            self.fatal = f"{platform.node()}: {error}"
            return
        self._read = lambda jobs: ([step] for step in read_jobs(jobs, reader.page_reader))
        self.journal = Journal(plan.out, settings, is_read=False)
        self.finder = FileFinder()

    def __call__(self, block: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Read the files of a block: columns ``file``, ``relative``, ``again`` (read it although its files exist)."""
        row: dict[str, list[Any]] = {key: [0] for key in ("pages", "lines", "skipped")}
        row |= {"files": [len(block["file"])], "problems": [[]], "warnings": [[]], "fatal": [self.fatal]}
        if self.fatal:
            return row
        for again in (False, True):
            chosen = [
                (Path(str(file)), Path(str(relative)))
                for file, relative, flag in zip(block["file"], block["relative"], block["again"], strict=True)
                if bool(flag) == again
            ]
            jobs, unreadable = self.plan.make_jobs(chosen, self.finder)
            try:
                result = write_pages(
                    jobs,
                    unreadable,
                    self._read,
                    overwrite=self.overwrite or again,
                    report=lambda problem: row["problems"][0].append(problem),
                    warn=lambda warning: row["warnings"][0].append(warning),
                    progress=None,
                    title="",
                    journal=self.journal,
                )
            except InputError as error:  # a full disk
                row["problems"][0].append(f"{platform.node()}: {error}")
                continue
            for key, number in (("pages", result.num_pages), ("lines", result.num_lines)):
                row[key][0] += number
            row["skipped"][0] += result.num_skipped
        return row


def read_folder_on_ray(
    scans: Sequence[Path],
    plan: PagePlan,
    make_reader: Callable[[], "Reader"],
    engine: RayEngine,
    *,
    overwrite: bool = False,
    shard: Shard | None = None,
    inputs: Sequence[Path] = (),
    settings: Mapping[str, str] | None = None,
    report: Callable[[str], None] = log.warning,
    progress: Progress | None = None,
) -> FolderResult:
    """Read scans of pages with Ray, and write the predictions and the index, with the same results as `read_folder`.

    Args:
        scans: images, documents or folders.
        plan: which files to write.
        make_reader: loads the model, in each worker.
        engine: where the workers are.
        overwrite: see `htr_lightning.reading.folder.read_folder`.
        shard: likewise.
        inputs: likewise.
        settings: likewise.
        report: likewise.
        progress: likewise.

    Raises:
        InputError: nothing was read, see `read_folder`; or there is no cluster, or a worker cannot load the model.
        OutputError: see `read_folder`.
    """
    files = find_scan_files(scans, report)
    if shard is not None:
        files = list(shard.take(files))
    check_settings(plan.out, settings or {}, overwrite=overwrite)
    journal = Journal(plan.out, settings)
    table, num_done = find_waiting(files, plan, journal, inputs, overwrite, report)
    counts = {"pages": 0, "lines": 0}
    problems: list[str] = []
    if len(table):
        with engine.connect() as workers:
            blocks = _run(table, workers, (make_reader, plan, journal.settings, overwrite, str(Path.cwd())))
            if progress is not None:
                blocks = progress(blocks, len(table), "Reading files")  # type: ignore[assignment]
            for block in blocks:
                for row in block.rows:
                    if row["fatal"]:
                        raise InputError(row["fatal"])
                    for message in [*row["problems"], *row["warnings"]]:
                        report(message)
                    problems += row["problems"]
                    counts = {key: counts[key] + row[key] for key in counts}
    write_index(plan.out)
    return FolderResult(counts["pages"], counts["lines"], num_done, tuple(problems))


@dataclass(frozen=True)
class _Block:
    """Rows that came back; its length is the number of files in them."""

    rows: list[dict[str, Any]]

    def __len__(self) -> int:
        return sum(row["files"] for row in self.rows)


def _run(table: "pa.Table", workers: int, arguments: tuple[Any, ...]) -> Iterator[_Block]:
    """Yield what the workers report of blocks of files."""
    import ray

    size = max(_FILES_PER_BLOCK, -(-len(table) // _MAX_BLOCKS))
    size = min(size, max(1, len(table) // (4 * workers)))
    dataset = ray.data.from_arrow([table.slice(start, size) for start in range(0, len(table), size)])
    workers = min(workers, -(-len(table) // size))
    pool = ray.data.ActorPoolStrategy(size=workers)
    read = dataset.map_batches(PageWorker, fn_constructor_args=arguments, batch_size=None, compute=pool, num_cpus=1)
    batches: Iterator[Any] = iter(read.iter_batches(batch_size=None, batch_format="pyarrow"))
    for batch in batches:
        yield _Block(batch.to_pylist())


def find_waiting(
    files: Sequence[tuple[Path, Path]],
    plan: PagePlan,
    journal: Journal,
    inputs: Sequence[Path],
    overwrite: bool,
    report: Callable[[str], None],
) -> "tuple[pa.Table, int]":
    """Return the files with pages that are to be read, and the number of pages of the others.

    Raises:
        DataError: no page has a layout, although their folder was given.
        OutputError: see `htr_lightning.reading.page_checks.check_files`.
    """
    import pyarrow as pa

    finder, num_pages, num_layouts, num_done = FileFinder(), 0, 0, 0
    names: set[int] = set()  # hashes of the names of results: a million names would take much memory
    columns: dict[str, list[Any]] = {"file": [], "relative": [], "again": []}
    for start in range(0, len(files), _CHUNK):
        chunk = files[start : start + _CHUNK]
        jobs, unreadable = plan.make_jobs(chunk, finder)
        check_files(jobs, plan.out, inputs=inputs, overwrite=overwrite)
        states: dict[Path, set[str]] = {path: {"missing"} for path in unreadable}
        num_pages, num_layouts = num_pages + len(jobs), num_layouts + sum(job.layout is not None for job in jobs)
        for job in jobs:
            name = hash((job.folder, job.stem))
            if name in names:
                raise build_conflict(job.scan.name, "another scan", job.files[0])
            names.add(name)
            state = "missing" if overwrite else journal.judge(job)
            states.setdefault(job.scan.path, set()).add(state)
            num_done += state in ("done", "edited")
            if state == "edited":
                report(describe_edited(job))
        for file, relative in chunk:
            if states[file] & {"missing", "changed"}:
                columns["file"].append(str(file))
                columns["relative"].append(str(relative))
                columns["again"].append("changed" in states[file])
    report_layouts(num_layouts, num_pages, plan.layouts, report)
    schema = pa.schema([("file", pa.string()), ("relative", pa.string()), ("again", pa.bool_())])
    return pa.table(columns, schema), num_done

"""Ray: a cluster, or this machine, on whose workers blocks of files are read."""

import contextlib
import importlib.util
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from htr_lightning.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

_FILES_PER_BLOCK = 8
_MAX_BLOCKS, _BLOCKS_PER_WORKER = 1000, 16  # of very many files; Ray takes about 20 ms for each block
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

        common: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
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


@dataclass(frozen=True)
class BlockReport:
    """What a worker says of a block of files; its length is their number.

    Attributes:
        rows: one, or several of small blocks.
    """

    rows: list[dict[str, Any]]

    def __len__(self) -> int:
        return sum(row["files"] for row in self.rows)


def run_workers(worker: type, table: "pa.Table", workers: int, arguments: tuple[Any, ...]) -> Iterator[BlockReport]:
    """Yield what the workers report of blocks of files.

    Args:
        worker: class that is called with each block, a mapping of columns, and returns one row.
        table: of the files.
        workers: number of processes.
        arguments: of the class.
    """
    import ray

    most = max(_MAX_BLOCKS, _BLOCKS_PER_WORKER * workers)
    size = max(_FILES_PER_BLOCK, -(-len(table) // most))
    size = min(size, max(1, len(table) // (4 * workers)))
    dataset = ray.data.from_arrow([table.slice(start, size) for start in range(0, len(table), size)])
    workers = min(workers, -(-len(table) // size))
    pool = ray.data.ActorPoolStrategy(size=workers)
    read = dataset.map_batches(worker, fn_constructor_args=arguments, batch_size=None, compute=pool, num_cpus=1)
    batches: Iterator[Any] = iter(read.iter_batches(batch_size=None, batch_format="pyarrow"))
    for batch in batches:
        yield BlockReport(batch.to_pylist())

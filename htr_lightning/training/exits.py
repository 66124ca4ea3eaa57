"""What a run says that cannot go on, and with which status it ends."""

import errno
import os
import signal
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import lightning
import torch
from hydra.errors import InstantiationException
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig

from htr_lightning.charset import CharsetError
from htr_lightning.config.schema import ConfigError
from htr_lightning.config.validate import refusal
from htr_lightning.image.files import DataError
from htr_lightning.model.info import ModelFileError
from htr_lightning.training.resume import CheckpointWriteError, PreemptedError, kept
from htr_lightning.training.task import NonFiniteLossError

# A quota is no error of every system's.
_UNWRITABLE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EROFS, errno.EACCES)


class PrunedError(Exception):
    """The trial is worse than others were at this point; the message says when it ended."""


class RunExit(NamedTuple):
    """How a run ends.

    Attributes:
        message: what happened, and the remedy.
        status: of the process.
    """

    message: str
    status: int = 1


def exit_of(error: BaseException, folder: Path, cfg: DictConfig, *, sweeps: bool = False) -> RunExit | None:
    """Return how a run ends for an error that its user can do something about; None for one of the program's own.

    Args:
        error: that `htr_lightning.training.run.run` raised.
        folder: of the run.
        cfg: of the run.
        sweeps: whether the run is one of many.
    """
    go_on = f"Go on with resume={folder}" if kept(folder) else "Nothing is kept yet; start it anew"
    if sweeps:
        go_on = f"The same command with hydra.sweep.dir={folder.parent} and resume=auto goes on with the sweep"
    if isinstance(error, SystemExit) and isinstance(error.__context__, KeyboardInterrupt):
        error = error.__context__  # Lightning ends with status 1 and without a word
    match error:
        case PreemptedError():
            return RunExit(f"The run stopped: {error}. {go_on}", error.status)
        case KeyboardInterrupt():
            return RunExit(f"The run stopped: Ctrl-C. {go_on}", 128 + signal.SIGINT)
        case SIGTERMException():
            return RunExit(f"The run stopped: asked to stop (SIGTERM) while it measured. {go_on}", 128 + signal.SIGTERM)
        case NonFiniteLossError():
            evidence = folder / "non_finite"
            return RunExit(f"The run stopped: {error}" + (f". What led to it: {evidence}" if evidence.is_dir() else ""))
        case CheckpointWriteError():
            return RunExit(f"The run stopped: {error}. {go_on}")
        case ConfigError() | DataError() | CharsetError() | ModelFileError():
            return RunExit(f"The run stopped: {error}")
        case BrokenProcessPool():
            return RunExit(
                "The run stopped: a process that prepared lines was ended from outside, perhaps for lack of memory; "
                "use fewer with ++loader.num_pack_workers=1"
            )
        case torch.OutOfMemoryError():
            return RunExit(
                f"The run stopped: the GPU has too little memory ({str(error).splitlines()[0]}); start a new run with "
                f"half of loader.pixels_per_batch (now {cfg.loader.get('pixels_per_batch')})"
            )
        case OSError() if error.errno in _UNWRITABLE:
            where = error.filename or folder
            return RunExit(f"The run stopped: {where} cannot be written ({error.strerror}). {go_on}")
        case RuntimeError() if "DataLoader worker" in str(error):
            if hasattr(signal, "SIGCHLD"):  # torch's handler raises again for a second one, while Python already exits
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return RunExit(
                "The run stopped: a process that loads batches was ended from outside, perhaps for lack of memory. "
                f"{go_on}, with fewer of them: ++loader.num_workers=0"
            )
        case _ if _is_of_another_process(error):
            return RunExit(
                "The run stopped: another of its processes ended or cannot be reached; if it said nothing, it was "
                f"ended from outside, perhaps for lack of memory. {go_on}"
            )
        case MisconfigurationException():
            return RunExit(refusal(f"trainer: {error}"))
        case InstantiationException() if isinstance(error.__cause__, ValueError):
            return RunExit(refusal(error.__cause__))
    return None


class LostProcess(Callback):
    """Ends a process whose run has lost another of its processes, at once.

    What follows an error, such as closing the group of processes, would wait for the lost one; and Lightning kills
    what it started, which would leave the user without a word.

    Args:
        folder: of the run.
        cfg: of the run.
    """

    def __init__(self, folder: Path, cfg: DictConfig) -> None:
        self.folder, self.cfg = folder, cfg

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """End, if the error is of that kind."""
        if not _is_of_another_process(exception):
            return
        run_exit = exit_of(exception, self.folder, self.cfg)
        assert run_exit is not None
        if trainer.is_global_zero:
            print(run_exit.message, file=sys.stderr, flush=True)
        environment = getattr(trainer.strategy, "cluster_environment", None)
        started_by_lightning = environment is not None and not environment.creates_processes_externally
        # Lightning would kill the first process, which has not said its own error yet, if another one failed.
        os._exit(0 if started_by_lightning and not trainer.is_global_zero else run_exit.status)


def _is_of_another_process(error: BaseException) -> bool:
    """Whether processes lost each other: NCCL has an error of its own for it, gloo a plain one."""
    lost = "gloo" in str(error) and any(word in str(error) for word in ("Connection", "Read error", "Timed out"))
    return isinstance(error, RuntimeError) and (
        lost or isinstance(error, getattr(torch.distributed, "DistBackendError", ()))
    )

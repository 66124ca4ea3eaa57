"""Message and exit status of a run that fails or is stopped."""

import errno
import os
import signal
import sys
from typing import NamedTuple

import lightning
import torch
from hydra.errors import InstantiationException
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig

from htr_lightning.config.validate import format_problems
from htr_lightning.errors import InputError
from htr_lightning.files import RunFolder
from htr_lightning.training.finite import NonFiniteLossError
from htr_lightning.training.lightning_fixes import CheckpointWriteError, interrupted_by_user
from htr_lightning.training.resume import PreemptedError
from htr_lightning.training.run_folder import RunFolderBusyError
from htr_lightning.training.torch_errors import is_killed_worker, is_lost_process

# A quota is no error of every system's.
_UNWRITABLE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EROFS, errno.EACCES)


class PrunedError(Exception):
    """The trial is worse than others at the same point; the message says when it ended."""


class RunExit(NamedTuple):
    """Message and exit status of a run that ends with an error.

    Attributes:
        message: what happened, and the remedy.
        status: exit status of the process.
    """

    message: str
    status: int = 1


def exit_of(error: BaseException, folder: RunFolder, cfg: DictConfig, *, sweeps: bool = False) -> RunExit | None:
    """Return message and exit status for an error that the user can do something about; None for a bug.

    Args:
        error: that `htr_lightning.training.run.run` raised.
        folder: of the run.
        cfg: of the run.
        sweeps: whether the run is one of many.
    """
    resume = f"Resume with resume={folder.path}"
    if not folder.resumable:
        resume = "No checkpoint was saved yet; start the run again"
    if sweeps:
        resume = f"The same command with hydra.sweep.dir={folder.path.parent} and resume=auto resumes the sweep"
    if interrupted_by_user(error):
        return RunExit(f"The run stopped: Ctrl-C. {resume}", 128 + signal.SIGINT)
    match error:
        case PreemptedError():
            return RunExit(f"The run stopped: {error}. {resume}", error.status)
        case SIGTERMException():
            return RunExit(
                f"The run stopped: SIGTERM was received while the trained model was measured. {resume}",
                128 + signal.SIGTERM,
            )
        case NonFiniteLossError():
            saved = folder.non_finite
            return RunExit(f"The run stopped: {error}" + (f". Batch and weights: {saved}" if saved.is_dir() else ""))
        case CheckpointWriteError():
            return RunExit(f"The run stopped: {error}. {resume}")
        case RunFolderBusyError():
            return RunExit(str(error), 2 if sweeps else 1)  # a whole sweep stops; the other process writes the outcome
        case InputError():
            return RunExit(f"The run stopped: {error}")
        case torch.OutOfMemoryError():
            return RunExit(
                f"The run stopped: the GPU has too little memory ({str(error).splitlines()[0]}); start a new run with "
                f"half of loader.pixels_per_batch (now {cfg.loader.get('pixels_per_batch')})"
            )
        case OSError() if error.errno in _UNWRITABLE:
            where = error.filename or folder.path
            return RunExit(f"The run stopped: {where} cannot be written ({error.strerror}). {resume}")
        case _ if is_killed_worker(error):
            if hasattr(signal, "SIGCHLD"):  # torch's handler raises again for a second one, while Python already exits
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return RunExit(
                "The run stopped: a data-loading worker was killed (out of memory?). "
                f"{resume}, with fewer workers: ++loader.num_workers=0"
            )
        case _ if is_lost_process(error):
            return RunExit(
                "The run stopped: another process ended or cannot be reached; if it printed no error, it was "
                f"killed (out of memory?). {resume}"
            )
        case MisconfigurationException():
            return RunExit(format_problems(f"trainer: {error}"))
        case InstantiationException() if isinstance(error.__cause__, ValueError):
            return RunExit(format_problems(error.__cause__))
    return None


class LostProcess(Callback):
    """Ends a process at once when another process of the same run was lost.

    The usual cleanup, such as closing the process group, would wait for the lost process; and Lightning kills the
    processes it started before they have printed their errors.

    Args:
        folder: of the run.
        cfg: of the run.
    """

    def __init__(self, folder: RunFolder, cfg: DictConfig) -> None:
        self.folder, self.cfg = folder, cfg

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """End the process if another one was lost."""
        if not is_lost_process(exception):
            return
        run_exit = exit_of(exception, self.folder, self.cfg)
        assert run_exit is not None
        if trainer.is_global_zero:
            print(run_exit.message, file=sys.stderr, flush=True)
        environment = getattr(trainer.strategy, "cluster_environment", None)
        started_by_lightning = environment is not None and not environment.creates_processes_externally
        # Lightning would kill the first process before it has printed its error, if another one failed.
        os._exit(0 if started_by_lightning and not trainer.is_global_zero else run_exit.status)

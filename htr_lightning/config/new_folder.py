"""A folder named after the time of its start belongs to one run or sweep."""

import contextlib
import itertools
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write


class NewFolder(Callback):
    """Claims the folder of a new run or sweep by making it; Hydra alone would share it.

    Of several that are started in the same second, the later ones get a number: ``12-00-00-dev-2``. A folder that the
    command line names without a time is left as it is.
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Claim ``hydra.run.dir``, unless a run is resumed; Hydra calls this."""
        if config.resume is None:
            _claim(config, config.hydra.run)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Claim ``hydra.sweep.dir``; Hydra calls this."""
        _claim(config, config.hydra.sweep)


def _claim(config: DictConfig, node: DictConfig) -> None:
    if "${now:" not in str(OmegaConf.to_container(node, resolve=False)):
        return
    with contextlib.suppress(OSError):  # a folder that cannot be written: Hydra raises the same error
        folder = make_new_folder(Path(str(node.dir)))
        with read_write(config), open_dict(config):
            node.dir = str(folder)


def make_new_folder(path: Path) -> Path:
    """Make a folder that did not exist, and return it: ``path``, or ``path-2``, ``path-3`` ...

    Raises:
        OSError: it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = path if number == 1 else path.with_name(f"{path.name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("unreachable")

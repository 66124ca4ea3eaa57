"""Provenance of a result: versions, commit, device, command, time."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from htr_lightning.version import __version__

LIBRARIES = (
    "torch",
    "torchvision",
    "lightning",
    "hydra-core",
    "omegaconf",
    "torchmetrics",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "pyarrow",
)


def describe_run(seed: int) -> dict[str, Any]:
    """Return the content of ``run.json`` at the start of a run; plain JSON types."""
    import torch

    commit, dirty = git_state()
    return {
        "version": __version__,
        "commit": commit,
        "uncommitted_changes": dirty,
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine(),
        "seed": seed,
        "command": ["python", "-m", "htr_lightning", *sys.argv[1:]],
        "start": now(),
    }


def git_state() -> tuple[str, bool | None]:
    """Return the commit of the checkout that this package runs from, and whether files differ from it.

    Outside a checkout: ``("", None)``.
    """
    package = Path(__file__).resolve().parent.parent

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=package, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        if not git("ls-files", "__init__.py"):  # installed inside some other project's checkout
            return "", None
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return "", None


def now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")

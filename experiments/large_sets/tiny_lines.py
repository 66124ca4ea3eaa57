"""Lines of noise, for `measure.py`: their images are 8 px high, their ids, texts and groups as long as real ones."""

import os
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray

from htr_lightning.data.line import Line, Split
from htr_lightning.files import write_json

HEIGHT_PX = 8
LETTERS = "abcdefghijklmnopqrstuvwxyzéèàçABCDEFGHILMNOPRSTUV.,'-"
LINES_PER_PAGE = 30
MEGABYTE = 1024  # in kB


@dataclass(frozen=True, slots=True)
class NoiseImage:
    """Noise of 96 to 127 px, other noise for each number."""

    number: int

    @property
    def fingerprint(self) -> str:
        """The number."""
        return str(self.number)

    def read(self, max_pixels: int = 0) -> NDArray[np.uint8]:
        """Return the pixels."""
        generator = np.random.default_rng(self.number)
        return generator.integers(0, 256, (HEIGHT_PX, 96 + self.number % 32), np.uint8)


class TinyLines:
    """Lines of noise with texts of 2 to 4 words from a vocabulary of 50,000; pages of 30 lines are groups.

    Args:
        num_train: lines of train; val and test have 1,000 each.
    """

    def __init__(self, num_train: int = 1000) -> None:
        self.num_train = num_train

    def lines(self, split: Split) -> Sequence[Line]:
        """Return the lines of a split."""
        generator = np.random.default_rng(1)
        letters = np.array(list(LETTERS))
        words = ["".join(generator.choice(letters, length)) for length in generator.integers(2, 11, 50_000)]
        first = {"train": 0, "val": 10**8, "test": 2 * 10**8}[split]
        number = self.num_train if split == "train" else 1000
        chosen = np.random.default_rng(first).integers(0, len(words), (number, 4))
        lengths = np.random.default_rng(first + 1).integers(2, 5, number)
        return [
            Line(
                f"archive/{split}/page-{row // LINES_PER_PAGE:06d}/line-{row:07d}",
                NoiseImage(first + row),
                " ".join(words[place] for place in chosen[row, : lengths[row]].tolist()),
                f"{split}/page-{row // LINES_PER_PAGE:06d}",
            )
            for row in range(number)
        ]


class FirstStep(Callback):
    """Writes when the first training step began and ended, and the memory of the process then and at the end.

    Args:
        path: of the JSON file.
    """

    def __init__(self, path: str) -> None:
        self.path, self.figures = Path(path), dict[str, Any]()

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: object, batch: object, batch_idx: int
    ) -> None:
        """Note the time of the first step."""
        if not self.figures:
            self.figures["first_step"] = time.time()
            self.figures["megabytes_before"] = measure_memory()
            self.figures["cpu_seconds"] = resource.getrusage(resource.RUSAGE_SELF).ru_utime
            self.figures["load"] = os.getloadavg()[0]

    def on_train_end(self, trainer: lightning.Trainer, pl_module: object) -> None:
        """Note the memory after the last step."""
        self.figures["steps"] = trainer.global_step
        self.figures["megabytes_after"] = measure_memory()
        write_json(self.path, self.figures)


def measure_memory() -> dict[str, float]:
    """Return the peak of the resident memory of this process, and what of it is anonymous now, in MB."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        name: int(fields[field].split()[0]) / MEGABYTE
        for name, field in (("peak", "VmHWM"), ("now", "VmRSS"), ("anonymous", "RssAnon"))
    }

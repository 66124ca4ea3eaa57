"""Images and documents, read as a line, as a page, or by the command ``predict``."""

from pathlib import Path
from random import Random

import numpy as np
from mutate import mutate_bytes, mutate_png, mutate_tiff
from outcome import READ, require, run_command
from seeds import make_images

from htr_lightning.cli.predict import main as predict
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.image.scan import list_scans


class Images:
    """Image files of all formats.

    Args:
        model: a small model file.
    """

    name = "image"
    rewrites_input = False

    def __init__(self, model: Path) -> None:
        self._model, self._seeds = model, make_images()
        self._preprocess = Preprocess(height_px=32)
        self._seeds.pop("pdf")

    def write(self, random: Random, folder: Path) -> tuple[Path, int]:
        """Write an image; return it, and which of the front doors to use."""
        format = random.choice(sorted(self._seeds))
        suffix, content = random.choice(self._seeds[format])
        others = [other for _, other in self._seeds[format]]
        if format == "png" and random.random() < 0.5:
            content = mutate_png(random, content)
        elif format == "tiff" and random.random() < 0.5:
            content = mutate_tiff(random, content)
        else:
            content = mutate_bytes(random, content, others, head=200)
        if random.random() < 0.05:
            suffix = random.choice((".png", ".jpg", ".tif", ".gif"))  # of another format
        path = folder / f"a{suffix}"
        path.write_bytes(content)
        return path, random.randrange(8)

    def read(self, given: tuple[Path, int], folder: Path, out: Path) -> str:
        """Read the image as a line, as a page, or by ``predict``."""
        path, door = given
        if door == 0:
            argv = ["predict", str(self._model), str(path), "--lines", "--format", "json", "--device", "cpu"]
            return run_command(predict, argv)
        if door == 1:
            argv = [
                "predict",
                str(self._model),
                str(path),
                "--pages",
                "--out",
                str(out),
                "--overlay",
                "--device",
                "cpu",
            ]
            return run_command(predict, [*argv, "--format", "txt,alto,pdf"])
        if door < 5:
            check_pixels(ImageFile(path).read())
            require(self._preprocess(ImageFile(path).read()).shape[0] == 32, "the height")
            return READ
        for scan in list_scans(path)[:3]:
            check_pixels(scan.read())
        return READ


class Pdfs:
    """PDF documents."""

    name = "pdf"
    rewrites_input = False

    def __init__(self) -> None:
        self._seeds = [content for _, content in make_images()["pdf"]]

    def write(self, random: Random, folder: Path) -> Path:
        """Write a document."""
        path = folder / "a.pdf"
        path.write_bytes(mutate_bytes(random, random.choice(self._seeds), self._seeds))
        return path

    def read(self, given: Path, folder: Path, out: Path) -> str:
        """Render its first pages."""
        num_read, error = 0, None
        for scan in list_scans(given)[:3]:
            try:
                check_pixels(scan.read(2_000_000))
                num_read += 1
            except DataError as problem:
                error = problem
        if not num_read and error is not None:
            raise error
        return READ


def check_pixels(pixels: np.ndarray) -> None:
    """Check that an array is an image as the program promises it."""
    require(pixels.dtype == np.uint8 and pixels.flags.c_contiguous, f"{pixels.dtype}, {pixels.flags}")
    require(pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3), f"the shape {pixels.shape}")
    require(pixels.size > 0, "no pixels")

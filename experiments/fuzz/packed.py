"""Packed lines that are damaged after they were written: a run must get the same lines, or a sentence."""

from pathlib import Path
from random import Random

import numpy as np
from mutate import mutate_bytes
from outcome import READ, REFUSED, require
from seeds import TEXTS, typeset

from htr_lightning.data.line import Line
from htr_lightning.data.pack import pack
from htr_lightning.data.packed_lines import PackedLines, set_written
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import InMemoryImage, UnusableImage
from htr_lightning.image.preprocess import Preprocess


class Packed:
    """Packed files.

    Args:
        folder: to pack valid lines into.
    """

    name = "packed lines"
    rewrites_input = True

    def __init__(self, folder: Path) -> None:
        self._preprocess = Preprocess(height_px=32)
        images = [InMemoryImage(np.array(typeset(text))) for text in TEXTS]
        self._lines = [Line(f"l{n}", image, text) for n, (image, text) in enumerate(zip(images, TEXTS, strict=True))]
        self._lines.append(Line("none", UnusableImage("none"), "x"))
        packed = pack(self._lines, self._preprocess, folder)
        self._name, self._content, self._written_s = packed.path.name, packed.path.read_bytes(), packed._written_s
        self._expected = self._list(packed)

    def write(self, random: Random, folder: Path) -> Path:
        """Write a damaged file, sometimes with the time of its last change as before."""
        path = folder / self._name
        content = self._content
        if random.random() < 0.5:
            cut = random.randrange(max(1, len(content) - 3000), len(content))
            content = content[:cut] + mutate_bytes(random, content[cut:])
        else:
            content = mutate_bytes(random, content, [content])
        path.write_bytes(content)
        if random.random() < 0.3:
            set_written(path, self._written_s)
        return path

    def read(self, given: Path, folder: Path, out: Path) -> str:
        """Open the file as a worker does; then let a run open it, or pack the lines again."""
        result = READ
        try:
            opened = self._list(PackedLines(given))
            require(opened == self._expected, "other lines than were packed")
        except DataError as error:
            require(str(given) in str(error), f"no file in {error}")
            result = REFUSED
        packed = pack(self._lines, self._preprocess, folder)
        require(self._list(packed) == self._expected, "other lines than were packed, after a run began")
        packed.close()
        return result

    def _list(self, packed: PackedLines) -> list[tuple[object, ...]]:
        rows = [(line.id, line.text, line.group, line.pixels.tobytes()) for line in packed]
        return [*rows, tuple(packed.skipped), packed.height_px]

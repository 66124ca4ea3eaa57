"""Lines of similar width, together: which ones, and how they are padded."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.files import DataError


class BatchKey(NamedTuple):
    """What the sampler asks for: rows of the data set, the width to pad them to, and the batch's own seed."""

    rows: list[int]
    width_px: int
    seed: int


class WidthBatches:
    """Batches of lines of similar width, filled by pixels rather than by count.

    Widths are rounded up to a few values, so that a line is padded alike whichever lines it meets, and so that
    compiled and cuDNN kernels see few shapes. Lines left over in one width join the next wider one. The order
    depends on ``(seed, epoch)`` alone; each rank takes every ``world_size``-th batch.

    Args:
        widths: ``(number of lines,)``, in pixels.
        height_px: of every line.
        pixels_per_batch: at most so many pixels, padding included; a wider line makes a batch of its own.
        max_lines: at most so many lines in a batch.
        width_step_px: widths are rounded up to multiples of this.
        max_shapes: at most so many different widths (before augmentation, which may widen a batch).
        shuffle: draw lines and order anew each epoch, and give every rank equally many batches by repeating
            some; otherwise narrow to wide, each line exactly once over all ranks.
        seed: of the order and of the batches' own seeds.
        rank: of this process.
        world_size: number of processes.
        without: rows to leave out.
        merge: let lines left over in one width join the next; otherwise a line is always padded alike, so that
            what is read in it does not depend on the lines beside it.
        draws: ``(number of lines,)``: how often each line is drawn in an epoch, on average; None for once. Only
            with ``shuffle``. Every epoch has the number of batches of the first: some are left out or repeated.
    """

    def __init__(
        self,
        widths: NDArray[np.int64],
        *,
        height_px: int,
        pixels_per_batch: int,
        max_lines: int,
        width_step_px: int = 32,
        max_shapes: int | None = None,
        shuffle: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        without: Sequence[int] = (),
        merge: bool = True,
        draws: NDArray[np.float64] | None = None,
    ) -> None:
        self.shapes = quantize(widths, width_step_px, max_shapes)
        self.shapes[list(without)] = 0
        self.height_px, self.pixels_per_batch, self.max_lines = height_px, pixels_per_batch, max_lines
        self.shuffle, self.seed, self.rank, self.world_size = shuffle, seed, rank, world_size
        self.merge, self.epoch, self.draws = merge, 0, draws if shuffle else None
        self._done: dict[int, int] = {}
        self._total = self._padded(len(self._batches(self._generator(0))))

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass; Lightning calls this before each epoch."""
        self.epoch = epoch

    def go_on(self, epoch: int, num_batches: int) -> None:
        """Leave out the first batches of one epoch: those that a run has trained on before it stopped."""
        self._done = {epoch: num_batches}

    def __len__(self) -> int:
        return len(range(self.rank, self._total, self.world_size))

    def __iter__(self) -> Iterator[BatchKey]:
        generator = self._generator(self.epoch)
        batches = self._batches(generator)
        seeds = np.random.SeedSequence([self.seed, self.epoch]).generate_state(len(batches), np.uint64) >> 1
        order = np.arange(len(batches)) if generator is None else generator.permutation(len(batches))
        order = np.resize(order, self._total)[self.rank :: self.world_size]
        left = order[self._done.get(self.epoch, 0) :]
        return (BatchKey(batches[i][0].tolist(), int(batches[i][1]), int(seeds[i])) for i in left)

    def _generator(self, epoch: int) -> np.random.Generator | None:
        return np.random.default_rng([self.seed, epoch]) if self.shuffle else None

    def _drawn(self, generator: np.random.Generator | None) -> NDArray[np.int64]:
        """Return the rows of an epoch: each as often as its draws say, rounded down or up by lot."""
        if self.draws is None or generator is None:
            return np.arange(len(self.shapes))
        times = np.floor(self.draws).astype(np.int64)
        for draws in np.unique(self.draws):  # lines of one source share a number, so the source gets its exact share
            rows = np.flatnonzero(self.draws == draws)
            missing = round(draws * len(rows)) - int(times[rows].sum())
            times[generator.permutation(rows)[:missing]] += 1
        return np.repeat(np.arange(len(self.shapes)), times)

    def _padded(self, num_batches: int) -> int:
        return -(-num_batches // self.world_size) * self.world_size if self.shuffle else num_batches

    def _batches(self, generator: np.random.Generator | None) -> list[tuple[NDArray[np.int64], int]]:
        batches: list[tuple[NDArray[np.int64], int]] = []
        left = np.zeros(0, np.int64)
        drawn = self._drawn(generator)
        shapes = self.shapes[drawn]
        widths = np.unique(shapes[shapes > 0])
        for width in widths:
            rows = np.concatenate([left, drawn[shapes == width]])
            if generator is not None:
                generator.shuffle(rows)
            size = max(1, min(self.max_lines, self.pixels_per_batch // (self.height_px * int(width))))
            full = len(rows) if not self.merge or width == widths[-1] else len(rows) // size * size
            batches += [(rows[i : min(i + size, full)], int(width)) for i in range(0, full, size)]
            left = rows[full:]
        return batches if self.shuffle else self._for_every_rank(batches)

    def _for_every_rank(self, batches: list[tuple[NDArray[np.int64], int]]) -> list[tuple[NDArray[np.int64], int]]:
        """Halve the largest batches until every rank gets equally many, or ranks would wait for each other."""
        while len(batches) % self.world_size:
            largest = max(range(len(batches)), key=lambda index: len(batches[index][0]))
            rows, width = batches[largest]
            if len(rows) < 2:
                raise DataError(
                    f"{len(self.shapes)} lines cannot be shared by {self.world_size} processes; use fewer devices"
                )
            half = len(rows) // 2
            batches[largest : largest + 1] = [(rows[:half], width), (rows[half:], width)]
        return batches


def quantize(widths: NDArray[np.int64], step_px: int, max_shapes: int | None = None) -> NDArray[np.int64]:
    """Round each width up to a multiple of ``step_px``, or further, so that at most ``max_shapes`` differ.

    With a limit, the widths kept are the quantiles of those present: each is used by equally many lines.
    """
    rounded = -(-widths // step_px) * step_px
    if max_shapes is None or len(np.unique(rounded)) <= max_shapes:
        return rounded
    shares = np.arange(1, max_shapes + 1) / max_shapes
    kept = np.unique(np.quantile(rounded, shares, method="higher").astype(np.int64))
    result: NDArray[np.int64] = kept[np.searchsorted(kept, rounded)]
    return result


def pad_lines(lines: Sequence[NDArray[np.uint8]], width_px: int) -> NDArray[np.uint8]:
    """Put lines ``(H, W)`` of one height side by side, padded on the right with paper: ``(N, H, width_px)``."""
    images = np.full((len(lines), lines[0].shape[0], width_px), 255, np.uint8)
    for image, line in zip(images, lines, strict=True):
        image[:, : line.shape[1]] = line
    return images

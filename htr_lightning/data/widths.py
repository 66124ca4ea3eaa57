"""Bucketing: batches of lines of similar width, and the padding of lines."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from htr_lightning.image.files import DataError


class BatchKey(NamedTuple):
    """What the sampler yields: the rows of the dataset, the width to pad them to, and the seed of the batch."""

    rows: list[int]
    width_px: int
    seed: int


class WidthBatchSampler:
    """Samples batches of lines of similar width; the number of pixels limits a batch, not only the number of lines.

    Widths are rounded up to a few values. So the padding of a line does not depend on the other lines of its batch,
    and compiled and cuDNN kernels see few shapes. Lines left over at one width join the next wider one. The order
    depends on ``(seed, epoch)`` only; each rank takes every ``world_size``-th batch.

    Args:
        widths: ``(number of lines,)``, in pixels.
        height_px: height of every line.
        pixels_per_batch: maximum number of pixels, padding included; a wider line makes a batch of its own.
        max_lines: maximum number of lines in a batch.
        width_step_px: widths are rounded up to multiples of this.
        max_shapes: maximum number of different widths (before augmentation, which may widen a batch); None for no
            limit.
        shuffle: draw lines and order again in each epoch, and repeat some batches so that every rank gets the same
            number. Otherwise the order is from narrow to wide, and each line occurs exactly once over all ranks.
        seed: seed of the order and of the seeds of the batches.
        rank: rank of this process.
        world_size: number of processes.
        exclude: rows to leave out.
        merge_leftovers: let the lines left over at one width join the next; otherwise a line is always padded to the
            same width, so that its prediction does not depend on the lines beside it.
        draws_per_epoch: ``(number of lines,)``: how often each line is drawn in an epoch, on average; None for once.
            Used only with ``shuffle``. Every epoch has as many batches as the first: some are left out or repeated.

    Raises:
        DataError: without ``shuffle``, there are fewer lines than processes.
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
        exclude: Sequence[int] | NDArray[np.int64] = (),
        merge_leftovers: bool = True,
        draws_per_epoch: NDArray[np.float64] | None = None,
    ) -> None:
        self.padded_widths = bucket_widths(widths, width_step_px, max_shapes)
        self.padded_widths[np.asarray(exclude, np.int64)] = 0
        self.height_px, self.pixels_per_batch, self.max_lines = height_px, pixels_per_batch, max_lines
        self.shuffle, self.seed, self.rank, self.world_size = shuffle, seed, rank, world_size
        self.merge_leftovers, self.epoch = merge_leftovers, 0
        self.draws_per_epoch = draws_per_epoch if shuffle else None
        self._num_skipped: dict[int, int] = {}
        self._num_batches = self._round_up_to_ranks(len(self._make_batches(self._make_generator(0))))

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which decides the order; Lightning calls this before each epoch."""
        self.epoch = epoch

    def skip_batches(self, epoch: int, num_batches: int) -> None:
        """Skip the first batches of one epoch: a resumed run was already trained on them."""
        self._num_skipped = {epoch: num_batches}

    @property
    def num_skipped(self) -> int:
        """Number of batches of the current epoch that are skipped."""
        return self._num_skipped.get(self.epoch, 0)

    def __len__(self) -> int:
        return len(range(self.rank, self._num_batches, self.world_size))

    def __iter__(self) -> Iterator[BatchKey]:
        generator = self._make_generator(self.epoch)
        batches = self._make_batches(generator)
        seeds = np.random.SeedSequence([self.seed, self.epoch]).generate_state(len(batches), np.uint64) >> 1
        order = np.arange(len(batches)) if generator is None else generator.permutation(len(batches))
        order = np.resize(order, self._num_batches)[self.rank :: self.world_size]
        remaining = order[self.num_skipped :]
        return (BatchKey(batches[i][0].tolist(), int(batches[i][1]), int(seeds[i])) for i in remaining)

    def _make_generator(self, epoch: int) -> np.random.Generator | None:
        return np.random.default_rng([self.seed, epoch]) if self.shuffle else None

    def _draw_rows(self, generator: np.random.Generator | None) -> NDArray[np.int64]:
        """Return the rows of an epoch, each as often as it is to be drawn, randomly rounded up or down."""
        if self.draws_per_epoch is None or generator is None:
            return np.arange(len(self.padded_widths))
        counts = np.floor(self.draws_per_epoch).astype(np.int64)
        # The lines of one source share a number of draws, so that the source gets its exact fraction of the epoch.
        for draws in np.unique(self.draws_per_epoch):
            rows = np.flatnonzero(self.draws_per_epoch == draws)
            missing = round(draws * len(rows)) - int(counts[rows].sum())
            counts[generator.permutation(rows)[:missing]] += 1
        return np.repeat(np.arange(len(self.padded_widths)), counts)

    def _round_up_to_ranks(self, num_batches: int) -> int:
        return -(-num_batches // self.world_size) * self.world_size if self.shuffle else num_batches

    def _make_batches(self, generator: np.random.Generator | None) -> list[tuple[NDArray[np.int64], int]]:
        """Return the rows and the width of every batch of an epoch, for all ranks, from narrow to wide."""
        batches: list[tuple[NDArray[np.int64], int]] = []
        leftover = np.zeros(0, np.int64)
        drawn_rows = self._draw_rows(generator)
        padded_widths = self.padded_widths[drawn_rows]
        widths = np.unique(padded_widths[padded_widths > 0])
        for width in widths:
            rows = np.concatenate([leftover, drawn_rows[padded_widths == width]])
            if generator is not None:
                generator.shuffle(rows)
            size = max(1, min(self.max_lines, self.pixels_per_batch // (self.height_px * int(width))))
            is_final = not self.merge_leftovers or width == widths[-1]
            end = len(rows) if is_final else len(rows) // size * size
            batches += [(rows[i : min(i + size, end)], int(width)) for i in range(0, end, size)]
            leftover = rows[end:]
        return batches if self.shuffle else self._split_for_ranks(batches)

    def _split_for_ranks(self, batches: list[tuple[NDArray[np.int64], int]]) -> list[tuple[NDArray[np.int64], int]]:
        """Halve the largest batches until every rank gets the same number; otherwise ranks would wait for each other.

        Raises:
            DataError: there are fewer lines than ranks.
        """
        while len(batches) % self.world_size:
            largest = max(range(len(batches)), key=lambda index: len(batches[index][0]))
            rows, width = batches[largest]
            if len(rows) < 2:
                raise DataError(
                    f"{len(self.padded_widths)} lines cannot be divided among {self.world_size} processes",
                    remedy="use fewer devices",
                    kind="too_few",
                )
            half = len(rows) // 2
            batches[largest : largest + 1] = [(rows[:half], width), (rows[half:], width)]
        return batches


def bucket_widths(widths: NDArray[np.int64], step_px: int, max_shapes: int | None = None) -> NDArray[np.int64]:
    """Round each width up to a multiple of ``step_px``, or further, so that at most ``max_shapes`` differ.

    With a limit, the buckets are quantiles of the widths: each holds about the same number of lines.
    """
    rounded = -(-widths // step_px) * step_px
    if max_shapes is None or len(np.unique(rounded)) <= max_shapes:
        return rounded
    quantiles = np.arange(1, max_shapes + 1) / max_shapes
    buckets = np.unique(np.quantile(rounded, quantiles, method="higher").astype(np.int64))
    bucketed: NDArray[np.int64] = buckets[np.searchsorted(buckets, rounded)]
    return bucketed


def spread_evenly(number: int, most: int) -> NDArray[np.int64]:
    """Return at most ``most`` of the indices of ``number`` items, evenly spread."""
    return np.arange(number) if number <= most else np.linspace(0, number - 1, most).round().astype(np.int64)


def pad_lines(lines: Sequence[NDArray[np.uint8]], width_px: int) -> NDArray[np.uint8]:
    """Stack lines ``(H, W)`` of one height, padded on the right with paper (255): ``(N, H, width_px)``."""
    images = np.full((len(lines), lines[0].shape[0], width_px), 255, np.uint8)
    for image, line in zip(images, lines, strict=True):
        image[:, : line.shape[1]] = line
    return images


def pad_line(line: NDArray[np.uint8], width_step_px: int) -> NDArray[np.uint8]:
    """Pad one line ``(H, W)`` on the right with paper to the next multiple of ``width_step_px``: ``(1, H, W')``."""
    return pad_lines([line], -(-line.shape[1] // width_step_px) * width_step_px)

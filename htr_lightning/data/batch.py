"""Which lines go together, and what a batch is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from htr_lightning.charset import Charset
from htr_lightning.data.line import DataError
from htr_lightning.data.pack import PackedLine, PackedLines


class BatchKey(NamedTuple):
    """What the sampler asks for: rows of the data set, the width to pad them to, and the batch's own seed."""

    rows: list[int]
    width_px: int
    seed: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines of similar width, padded on the right with paper.

    Attributes:
        images: ``(N, 1, H, W)``: uint8 with paper 255 from the loader; float ink (0 paper, 1 ink) on the device.
        widths: ``(N,)`` int64 on the CPU: the pixels of each line that are its own.
        targets: the texts as class ids, one after the other, ``(sum of lengths,)`` int64 on the CPU.
        target_lengths: ``(N,)`` int64 on the CPU.
        ids: of the lines.
        texts: of the lines, whole, also where the charset lacks a character.
        seed: the source of all randomness in the step that uses this batch.
    """

    images: Tensor
    widths: Tensor
    targets: Tensor
    target_lengths: Tensor
    ids: list[str]
    texts: list[str]
    seed: int

    def __len__(self) -> int:
        return len(self.ids)

    def pin_memory(self) -> "Batch":
        """Return the batch with its images in page-locked memory; the DataLoader calls this."""
        return replace(self, images=self.images.pin_memory())


def collate(lines: Sequence[PackedLine], width_px: int, charset: Charset, seed: int = 0) -> Batch:
    """Put lines of one height into a batch of ``width_px`` pixels; unknown characters are left out of targets."""
    images = np.full((len(lines), 1, lines[0].pixels.shape[0], width_px), 255, np.uint8)
    for image, line in zip(images, lines, strict=True):
        image[0, :, : line.pixels.shape[1]] = line.pixels
    targets = [charset.encode_known(line.text) for line in lines]
    return Batch(
        images=torch.from_numpy(images),
        widths=torch.tensor([line.pixels.shape[1] for line in lines]),
        targets=torch.tensor([index for target in targets for index in target], dtype=torch.int64),
        target_lengths=torch.tensor([len(target) for target in targets]),
        ids=[line.id for line in lines],
        texts=[charset.normalize(line.text) for line in lines],
        seed=seed,
    )


def to_ink(images: Tensor) -> Tensor:
    """Turn uint8 pixels (paper 255) into float ink (0 paper, 1 ink)."""
    return images.float().div_(-255.0).add_(1.0)


def frames_needed(targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Return how many frames CTC needs for each text: one a character, and one between equal neighbours.

    Args:
        targets: class ids, one text after the other, int64.
        target_lengths: ``(N,)`` int64.

    Returns:
        ``(N,)`` int64.
    """
    line = torch.repeat_interleave(torch.arange(len(target_lengths)), target_lengths)
    repeats = (targets[1:] == targets[:-1]) & (line[1:] == line[:-1])
    return target_lengths + torch.bincount(line[1:][repeats], minlength=len(target_lengths))


class LineDataset(Dataset[Batch]):
    """Packed lines, fetched a batch at a time."""

    def __init__(self, lines: PackedLines, charset: Charset) -> None:
        self.lines, self.charset = lines, charset

    def __getitem__(self, key: BatchKey) -> Batch:
        return collate([self.lines[row] for row in key.rows], key.width_px, self.charset, key.seed)


class WidthBatches(Sampler[BatchKey]):
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
        self.shapes = quantise(widths, width_step_px, max_shapes)
        self.shapes[list(without)] = 0
        self.height_px, self.pixels_per_batch, self.max_lines = height_px, pixels_per_batch, max_lines
        self.shuffle, self.seed, self.rank, self.world_size = shuffle, seed, rank, world_size
        self.merge, self.epoch, self.draws = merge, 0, draws if shuffle else None
        self._total = self._padded(len(self._batches(self._generator(0))))

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass; Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(range(self.rank, self._total, self.world_size))

    def __iter__(self) -> Iterator[BatchKey]:
        generator = self._generator(self.epoch)
        batches = self._batches(generator)
        seeds = np.random.SeedSequence([self.seed, self.epoch]).generate_state(len(batches), np.uint64) >> 1
        order = np.arange(len(batches)) if generator is None else generator.permutation(len(batches))
        order = np.resize(order, self._total)[self.rank :: self.world_size]
        for index in order:
            rows, width = batches[index]
            yield BatchKey(rows.tolist(), int(width), int(seeds[index]))

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


def quantise(widths: NDArray[np.int64], step_px: int, max_shapes: int | None = None) -> NDArray[np.int64]:
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

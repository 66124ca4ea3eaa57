"""What a batch is, and how lines become one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.data import Dataset

from htr_lightning.charset import Charset
from htr_lightning.data.pack import PackedLine, PackedLines
from htr_lightning.data.widths import BatchKey, pad_lines


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
        num_views: how often every line is there, each time varied otherwise: all lines once, then all again.
    """

    images: Tensor
    widths: Tensor
    targets: Tensor
    target_lengths: Tensor
    ids: list[str]
    texts: list[str]
    seed: int
    num_views: int = 1

    def __len__(self) -> int:
        return len(self.ids)

    def viewed(self, images: Tensor, widths: Tensor) -> "Batch":
        """Return the batch with views of its lines, and with texts and ids as often.

        Args:
            images: ``(V N, 1, H, W)``, all N lines once, then all again.
            widths: ``(V N,)``.
        """
        num_views = len(images) // len(self)
        return replace(
            self,
            images=images,
            widths=widths,
            num_views=num_views,
            targets=self.targets.repeat(num_views),
            target_lengths=self.target_lengths.repeat(num_views),
            ids=self.ids * num_views,
            texts=self.texts * num_views,
        )

    def pin_memory(self) -> "Batch":
        """Return the batch with its images in page-locked memory; the DataLoader calls this."""
        return replace(self, images=self.images.pin_memory())


def collate(lines: Sequence[PackedLine], width_px: int, charset: Charset, seed: int = 0) -> Batch:
    """Put lines of one height into a batch of ``width_px`` pixels; unknown characters are left out of targets."""
    targets = [charset.encode_known(line.text) for line in lines]
    return Batch(
        images=torch.from_numpy(pad_lines([line.pixels for line in lines], width_px))[:, None],
        widths=torch.tensor([line.pixels.shape[1] for line in lines]),
        targets=torch.tensor([index for target in targets for index in target], dtype=torch.int64),
        target_lengths=torch.tensor([len(target) for target in targets]),
        ids=[line.id for line in lines],
        texts=[charset.normalize(line.text) for line in lines],
        seed=seed,
    )


def frames_needed(targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Return how many frames CTC needs for each text: one a character, and one between equal neighbors.

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

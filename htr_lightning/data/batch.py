"""Batches of lines, and the dataset that the DataLoader reads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.data import Dataset

from htr_lightning.charset import Charset
from htr_lightning.data.packed_lines import PackedLine, PackedSequence
from htr_lightning.data.widths import BatchKey, pad_lines
from htr_lightning.directions.bidi import StatedDirection


@dataclass(slots=True)  # not frozen: Lightning converts the tensors of a batch for precisions such as bf16-true
class Batch:
    """Lines of similar width, padded on the right with paper.

    Attributes:
        images: ``(N, 1, H, W)``: uint8 with paper 255 from the loader; float with paper 0 and ink 1 on the device.
        widths: ``(N,)`` int64 on the CPU: width of each line in pixels, without the padding.
        targets: class ids of the texts, concatenated: ``(sum of lengths,)`` int64 on the CPU.
        target_lengths: ``(N,)`` int64 on the CPU.
        ids: ids of the lines.
        texts: full texts of the lines, including characters that the charset lacks.
        directions: base directions that the files of the lines state.
        seed: seed of all randomness in the training step that uses this batch.
        num_views: number of augmented views of each line; the batch holds the first view of all lines, then the second.
        augment: whether the lines are to be augmented on the device, as in the training loader.
    """

    images: Tensor
    widths: Tensor
    targets: Tensor
    target_lengths: Tensor
    ids: list[str]
    texts: list[str]
    seed: int
    num_views: int = 1
    augment: bool = False
    directions: Sequence[StatedDirection] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def with_views(self, images: Tensor, widths: Tensor) -> "Batch":
        """Replace the images by V augmented views of the lines; repeat targets, texts and ids to match.

        Args:
            images: ``(V N, 1, H, W)``: the first view of all N lines, then the second.
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
            directions=[*self.directions] * num_views,
        )

    def pin_memory(self) -> "Batch":
        """Return the batch with its images in page-locked memory; the DataLoader calls this."""
        return replace(self, images=self.images.pin_memory())


def collate(lines: Sequence[PackedLine], width_px: int, charset: Charset, seed: int = 0) -> Batch:
    """Collate lines of one height into a batch padded to ``width_px``; targets omit characters not in the charset."""
    targets = [charset.encode_known(line.text, line.direction) for line in lines]
    return Batch(
        images=torch.from_numpy(pad_lines([line.pixels for line in lines], width_px))[:, None],
        widths=torch.tensor([line.pixels.shape[1] for line in lines]),
        targets=torch.tensor([index for target in targets for index in target], dtype=torch.int64),
        target_lengths=torch.tensor([len(target) for target in targets]),
        ids=[line.id for line in lines],
        texts=[charset.normalize(line.text) for line in lines],
        seed=seed,
        directions=[line.direction for line in lines],
    )


def count_required_frames(targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Count the frames that CTC needs for each text: one per character, plus a blank between two equal neighbors.

    Args:
        targets: class ids of the texts, concatenated, int64.
        target_lengths: ``(N,)`` int64.

    Returns:
        ``(N,)`` int64.
    """
    rows = torch.repeat_interleave(torch.arange(len(target_lengths)), target_lengths)
    repeats = (targets[1:] == targets[:-1]) & (rows[1:] == rows[:-1])
    return target_lengths + torch.bincount(rows[1:][repeats], minlength=len(target_lengths))


class LineDataset(Dataset[Batch]):
    """Packed lines, indexed by `BatchKey`: each item is a whole batch.

    Args:
        lines: of a split.
        charset: turns their texts into targets.
        augment: mark the batches as to be augmented.
    """

    def __init__(self, lines: PackedSequence, charset: Charset, *, augment: bool = False) -> None:
        self.lines, self.charset, self.augment = lines, charset, augment

    def __getitem__(self, key: BatchKey) -> Batch:
        batch = collate([self.lines[row] for row in key.rows], key.width_px, self.charset, key.seed)
        return replace(batch, augment=self.augment)

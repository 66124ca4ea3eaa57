"""The LightningDataModule: splits, loaders, and augmentation on the device."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from htr_lightning.charset import Charset, find_direction
from htr_lightning.data.augment import Augment
from htr_lightning.data.augmentation import adapt_augmentation
from htr_lightning.data.batch import Batch, LineDataset
from htr_lightning.data.feasible import find_infeasible
from htr_lightning.data.line import SPLITS, Source, Split, WeightedSource
from htr_lightning.data.loader import ResumableLoader
from htr_lightning.data.pack import Progress, pack
from htr_lightning.data.packed_lines import PackedSequence
from htr_lightning.data.random_draws import sample_rows
from htr_lightning.data.sources.packed import Packed
from htr_lightning.data.unusable import refuse_or_skip
from htr_lightning.data.widths import WidthBatchSampler, spread_evenly
from htr_lightning.device import count_cores
from htr_lightning.directions.bidi import BaseDirection
from htr_lightning.errors import InputError
from htr_lightning.image.files import MAX_WIDTH_STEP_PX, DataError
from htr_lightning.image.ink import to_ink
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.text import Normalization


class LineDataModule(lightning.LightningDataModule):
    """Lines of one source, preprocessed once, batched by width, augmented on the device.

    Attributes:
        charset: of the training texts, after `setup`; may be set before, to use that of a base model.
        packed: the preprocessed lines of each split, after `setup`.

    Args:
        source: the dataset.
        preprocess: applied once to every line, before training.
        augment: applied to every training batch; `adapt_augmentation` says what it may be besides `Augment`.
        cache_dir: folder for packed (preprocessed) lines; may be deleted at any time.
        pixels_per_batch: maximum number of pixels in a batch, including padding.
        max_lines_per_batch: maximum number of lines in a batch.
        width_step_px: lines are padded to multiples of this width.
        max_shapes: maximum number of different widths (for compiled models); None for no limit.
        num_workers: processes that collate batches; None for 0 without a GPU, since collating is a copy,
            and 2 with one.
        num_pack_workers: processes that decode and preprocess; None for one per processor core.
        max_train_lines: train on a random subset of this size, chosen by ``seed``; larger subsets include smaller ones.
            None for all lines.
        max_skipped: maximum number of unusable lines to skip, over all splits; more stop the run before it starts.
        max_shared: maximum fraction of val or test that may also be in train; more stop the run before it starts.
        normalization: Unicode form of all texts.
        direction: base direction of the lines, if some of them have letters from right to left.
        seed: for the order of lines and for augmentation.
        num_views: number of differently augmented copies of each line in a training batch; see `Augment`.
        overfit: train and validate on the train split in a fixed order, without augmentation.
        needs_val: refuse a dataset without validation lines.
        progress: shows a progress bar while packing.
    """

    def __init__(
        self,
        source: Source,
        preprocess: Preprocess,
        augment: Callable[..., Any],
        *,
        cache_dir: str = "data/packed",
        pixels_per_batch: int = 300_000,
        max_lines_per_batch: int = 256,
        width_step_px: int = 32,
        max_shapes: int | None = None,
        num_workers: int | None = None,
        num_pack_workers: int | None = None,
        max_train_lines: int | None = None,
        max_skipped: int = 0,
        max_shared: float = 0.5,
        normalization: Normalization = "NFC",
        direction: BaseDirection = "auto",
        seed: int = 1,
        num_views: int = 1,
        overfit: bool = False,
        needs_val: bool = True,
        progress: Progress | None = None,
    ) -> None:
        super().__init__()
        for key, value in (
            ("pixels_per_batch", pixels_per_batch),
            ("max_lines_per_batch", max_lines_per_batch),
            ("width_step_px", width_step_px),
            ("max_shapes", max_shapes),
            ("max_train_lines", max_train_lines),
        ):
            if value is not None and value < 1:
                raise InputError("the number is too small", key=f"loader.{key}", value=value, remedy="give 1 or more")
        for key, value, least in (
            ("num_workers", num_workers, 0),
            ("max_skipped", max_skipped, 0),
            ("num_pack_workers", num_pack_workers, 1),
        ):
            if value is not None and value < least:
                remedy = f"give {least} or more"
                raise InputError("the number is too small", key=f"loader.{key}", value=value, remedy=remedy)
        if width_step_px > MAX_WIDTH_STEP_PX:  # the model file states it
            remedy = f"give {MAX_WIDTH_STEP_PX} or less"
            raise InputError("the number is too large", key="loader.width_step_px", value=width_step_px, remedy=remedy)
        if not 0 <= max_shared <= 1:
            remedy = "give a number from 0 to 1"
            raise InputError("this is not a fraction", key="loader.max_shared", value=max_shared, remedy=remedy)
        self.source, self.preprocess, self.augment = source, preprocess, adapt_augmentation(augment)
        self.cache_dir, self.seed, self.progress = Path(cache_dir), seed, progress
        self.pixels_per_batch, self.max_lines_per_batch = pixels_per_batch, max_lines_per_batch
        self.width_step_px, self.max_shapes = width_step_px, max_shapes
        self.num_workers = (2 if torch.cuda.is_available() else 0) if num_workers is None else num_workers
        self.num_views, self.overfit, self.needs_val = num_views, overfit, needs_val
        self.num_pack_workers = num_pack_workers or count_cores()
        self.max_train_lines = max_train_lines
        self.max_skipped, self.max_shared, self.normalization = max_skipped, max_shared, normalization
        self.direction: BaseDirection = direction
        self.charset: Charset | None = None
        self.packed: dict[Split, PackedSequence] = {}
        self._dropped: dict[Split, list[int]] = {}

    def setup(self, stage: str = "fit") -> None:
        """Pack the splits or open packed ones, check them, build the charset; does nothing the second time.

        Raises:
            DataError: no lines to train or validate with, or more than ``max_skipped`` lines that cannot be used.
        """
        if self.packed:
            return
        self.packed = {split: self._open(split) for split in SPLITS}
        reasons = [item.reason for packed in self.packed.values() for item in packed.skipped]
        refuse_or_skip("cannot be used", reasons, self.max_skipped)
        for split in SPLITS[: 2 if self.needs_val else 1]:
            if not len(self.packed[split]):
                raise DataError(
                    f"the {split} split is empty",
                    key="dataset",
                    remedy=f"give it lines (dataset=lines takes a table {split}.tsv or a folder {split} from "
                    "dataset.root), or all lines in one table, which is split automatically: dataset.manifest=FILE",
                    kind="empty",
                )
        if self.charset is None:
            texts = self.packed["train"].column("text")
            self.charset = Charset.from_texts(texts, self.normalization)
            direction = find_direction(self.charset.characters, self.direction)
            if direction is not None:
                self.charset = Charset.from_texts(texts, self.normalization, direction)

    def _open(self, split: Split) -> PackedSequence:
        """Return the packed lines of a split, as a packed dataset has them or from the cache."""
        rows: Callable[[int], NDArray[np.int64]] | None = None
        if split == "train" and self.max_train_lines is not None:
            rows = partial(sample_rows, most=self.max_train_lines, seed=self.seed)
        if isinstance(self.source, Packed):
            packed = self.source.open_packed(split, self.preprocess)
            return packed if rows is None else packed.select(rows(len(packed)))
        lines = self.source.lines(split)
        return pack(
            lines if rows is None else [lines[row] for row in rows(len(lines)).tolist()],
            self.preprocess,
            self.cache_dir,
            name=f"{type(self.source).__name__.lower()}-{split}",
            num_workers=self.num_pack_workers,
            progress=self.progress,
        )

    def drop_infeasible(self, frame_lengths: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Skip training lines with fewer frames than CTC needs for their text.

        A text needs a frame for each character, and one more between two equal adjacent characters.

        Raises:
            DataError: more than ``max_skipped`` such lines.
        """
        assert self.charset is not None
        lines = self.packed["train"]
        infeasible = find_infeasible(lines, self.charset, frame_lengths(torch.from_numpy(lines.widths)).numpy())
        refuse_or_skip(
            "of train with a text that is too long for the image",
            list(infeasible.values()),
            self.max_skipped,
            remedy="check their text, use a model with a smaller horizontal stride or a larger preprocess.height_px",
            num_skipped=sum(len(packed.skipped) for packed in self.packed.values()),
        )
        self._dropped["train"] = list(infeasible)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of the train split, in another order each epoch."""
        return self._loader("train", train=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches of the val split, each line once."""
        return self._loader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches of the test split, each line once."""
        return self._loader("test")

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Batches of the test split, or of val where test is empty, each line once."""
        return self._loader("test" if len(self.packed["test"]) else "val")

    @property
    def batch_size(self) -> int:
        """About how many lines of median width ``pixels_per_batch`` holds, after `setup`.

        Lightning's batch size finder scales it: ``Tuner(trainer).scale_batch_size(task, data)``. Assigning a number
        sets ``pixels_per_batch``, and raises ``max_lines_per_batch`` to it.
        """
        return max(1, round(self.pixels_per_batch / self._median_pixels()))

    @batch_size.setter
    def batch_size(self, number: int) -> None:
        self.pixels_per_batch = number * self._median_pixels()
        self.max_lines_per_batch = max(self.max_lines_per_batch, number)

    def _median_pixels(self) -> int:
        if "train" not in self.packed:
            raise AttributeError("batch_size depends on the widths of the lines; call setup() first")
        steps = np.ceil(np.median(self.packed["train"].widths) / self.width_step_px)
        return int(steps) * self.width_step_px * self.preprocess.height_px

    def batches(self, split: Split, max_lines: int) -> DataLoader[Batch]:
        """Return a loader of ``max_lines`` lines evenly spread over a split, or of all; the same in every process."""
        assert self.charset is not None, "setup() first"
        lines = self.packed[split]
        others = np.setdiff1d(np.arange(len(lines)), spread_evenly(len(lines), max_lines))
        return ResumableLoader(LineDataset(lines, self.charset), self._batches(split, False, 0, 1, others), 0)

    def _loader(self, split: Split, *, train: bool = False) -> ResumableLoader[Batch]:
        assert self.charset is not None, "setup() first"
        if self.overfit and split != "test":
            split = "train"
        batches = self._batches(split, train and not self.overfit, *_rank_and_world_size())
        dataset = LineDataset(self.packed[split], self.charset, augment=train)
        return ResumableLoader(dataset, batches, self.num_workers)

    def num_batches(self, world_size: int) -> int:
        """Return the number of batches per epoch of each process."""
        return len(self._batches("train", True, 0, world_size))

    def _batches(
        self, split: Split, shuffle: bool, rank: int, world_size: int, exclude: NDArray[np.int64] | None = None
    ) -> WidthBatchSampler:
        lines = self.packed[split]
        excluded = np.array(self._dropped.get(split, []), np.int64)
        return WidthBatchSampler(
            lines.widths,
            height_px=self.preprocess.height_px,
            pixels_per_batch=self.pixels_per_batch,
            max_lines=self.max_lines_per_batch,
            width_step_px=self.width_step_px,
            max_shapes=self.max_shapes,
            shuffle=shuffle,
            seed=self.seed,
            rank=rank,
            world_size=world_size,
            exclude=excluded if exclude is None else np.concatenate([excluded, exclude]),
            merge_leftovers=shuffle,  # in val and test a line is padded as it will be when the model is used
            draws_per_epoch=self._get_draws(lines) if shuffle else None,
        )

    def _get_draws(self, lines: PackedSequence) -> NDArray[np.float64] | None:
        """Return how often each training line is drawn in an epoch; None for once."""
        if isinstance(self.source, WeightedSource) and not isinstance(self.source, Packed):
            return self.source.draws_per_epoch(lines.column("id"))
        return lines.draws

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move the images, still uint8; lengths stay on the CPU, where CTC reads them."""
        return replace(batch, images=batch.images.to(device, non_blocking=True))

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Turn pixels into ink; augment training batches."""
        images, widths = to_ink(batch.images), batch.widths
        if batch.augment:
            generator = torch.Generator().manual_seed(batch.seed)
            augmentation = Augment() if self.overfit else self.augment
            images, widths = augmentation(images, widths, generator, self.num_views)
        return batch.with_views(images, widths)


def _rank_and_world_size() -> tuple[int, int]:
    """Return rank and world size of this process."""
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1

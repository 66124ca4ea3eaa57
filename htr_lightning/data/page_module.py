"""The LightningDataModule of pages: random crops to train a line finder with, whole pages to evaluate it."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from htr_lightning.data.line import SPLITS, Split
from htr_lightning.data.loader import ResumableLoader
from htr_lightning.data.page_augment import PageAugment
from htr_lightning.data.page_targets import TargetLine, draw_targets
from htr_lightning.data.training_page import PageSource, TrainingPage
from htr_lightning.errors import InputError
from htr_lightning.image.files import DataError
from htr_lightning.image.page_pixels import PagePreprocess, pad_page
from htr_lightning.segmentation.maps import SIZE_STEP


@dataclass(slots=True)
class PageBatch:
    """Crops of pages, or one whole page.

    Attributes:
        images: ``(N, 1, H, W)`` uint8.
        lines: target maps ``(N, 4, H / 2, W / 2)``; see `htr_lightning.data.page_targets.PageTargets`.
        orientations: ``(N, H / 8, W / 8)`` int64.
        ids: of the pages.
        target_lines: of each page, in px of the image; empty in training.
        seed: of all randomness in the training step that uses this batch.
    """

    images: Tensor
    lines: Tensor
    orientations: Tensor
    ids: list[str]
    target_lines: list[list[TargetLine]]
    seed: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device) -> "PageBatch":
        """Move the tensors to a device."""
        moved = {
            name: getattr(self, name).to(device, non_blocking=True) for name in ("images", "lines", "orientations")
        }
        return replace(self, **moved)


class PageDataModule(lightning.LightningDataModule):
    """Pages of one source: crops in training, whole pages in evaluation.

    Args:
        source: the dataset.
        preprocess: applied to every page.
        augment: cuts crops out of training pages, and varies them.
        synthetic: another source of pages, from which a fraction of the crops is cut; None for none.
        synthetic_fraction: of the crops.
        crops_per_batch: number of crops in a training batch.
        crops_per_epoch: number of crops in an epoch.
        cache_mb: memory for decoded pages, in MB; pages that do not fit are decoded again.
        num_workers: processes that prepare crops; 0 for none.
        seed: for the choice of crops and for augmentation.
        overfit: train on the same crops in each epoch, and validate on the training pages.
    """

    def __init__(
        self,
        source: PageSource,
        preprocess: PagePreprocess,
        augment: PageAugment,
        *,
        synthetic: PageSource | None = None,
        synthetic_fraction: float = 0.0,
        crops_per_batch: int = 4,
        crops_per_epoch: int = 1200,
        cache_mb: int = 1500,
        num_workers: int = 1,
        seed: int = 1,
        overfit: bool = False,
    ) -> None:
        super().__init__()
        for key, value, least in (
            ("crops_per_batch", crops_per_batch, 1),
            ("crops_per_epoch", crops_per_epoch, crops_per_batch),
            ("cache_mb", cache_mb, 0),
            ("num_workers", num_workers, 0),
        ):
            if value < least:
                remedy = f"give {least} or more"
                raise InputError("the number is too small", key=f"loader.{key}", value=value, remedy=remedy)
        if not 0 <= synthetic_fraction <= 1 or (synthetic is None and synthetic_fraction > 0):
            remedy = "give a number from 0 to 1, and 0 without loader.synthetic"
            key = "loader.synthetic_fraction"
            raise InputError("not a fraction", key=key, value=synthetic_fraction, remedy=remedy)
        self.source, self.preprocess, self.augment, self.seed, self.overfit = source, preprocess, augment, seed, overfit
        self.synthetic, self.synthetic_fraction = synthetic, synthetic_fraction
        self.crops_per_batch, self.crops_per_epoch = crops_per_batch, crops_per_epoch
        self.cache_mb, self.num_workers = cache_mb, num_workers
        self.pages: dict[Split, list[TrainingPage]] = {}
        self.synthetic_pages: list[TrainingPage] = []

    def setup(self, stage: str = "fit") -> None:
        """List the pages of each split; does nothing the second time.

        Raises:
            DataError: there are no pages to train or validate with.
        """
        if self.pages:
            return
        self.pages = {split: list(self.source.pages(split)) for split in SPLITS}
        for split in SPLITS[:2]:
            if not self.pages[split]:
                problem, remedy = f"the {split} split has no pages", "add some, or change dataset.split_ratios"
                raise DataError(problem, key="dataset", remedy=remedy, kind="empty")
        if self.synthetic is not None:
            self.synthetic_pages = list(self.synthetic.pages("train"))

    @property
    def fingerprint(self) -> str:
        """Changes with the training pages."""
        digest = hashlib.blake2b(digest_size=8)
        for page in self.pages["train"]:
            digest.update(f"{page.id} {page.fingerprint}\n".encode())
        return digest.hexdigest()

    def num_batches(self, world_size: int) -> int:
        """Return the number of batches per epoch of each process."""
        return self.crops_per_epoch // (self.crops_per_batch * world_size)

    def train_dataloader(self) -> DataLoader[PageBatch]:
        """Batches of random crops, others in each epoch."""
        rank, world_size = _rank_and_world_size()
        crops = _Crops(self)
        batches = _CropBatches(self.num_batches(world_size), self.crops_per_batch, rank, world_size, self.overfit)
        return ResumableLoader(crops, batches, self.num_workers)

    def val_dataloader(self) -> DataLoader[PageBatch]:
        """The pages of the val split, one by one."""
        return self._whole_pages("train" if self.overfit else "val")

    def test_dataloader(self) -> DataLoader[PageBatch]:
        """The pages of the test split, one by one."""
        return self._whole_pages("test")

    def _whole_pages(self, split: Split) -> DataLoader[PageBatch]:
        rank, world_size = _rank_and_world_size()
        pages = self.pages[split][rank::world_size]
        return DataLoader(_WholePages(pages, self.preprocess), batch_size=None)

    def transfer_batch_to_device(self, batch: PageBatch, device: torch.device, dataloader_idx: int) -> PageBatch:
        """Move the images, still uint8, and the maps."""
        return batch.to(device)


class _PageCache:
    """Decoded pages, the most recently used ones, up to a number of bytes."""

    def __init__(self, preprocess: PagePreprocess, num_bytes: int) -> None:
        self.preprocess, self.num_bytes, self.used = preprocess, num_bytes, 0
        self.pages: OrderedDict[str, tuple[NDArray[np.uint8], list[TargetLine]]] = OrderedDict()

    def read(self, page: TrainingPage) -> tuple[NDArray[np.uint8], list[TargetLine]]:
        if page.id in self.pages:
            self.pages.move_to_end(page.id)
            return self.pages[page.id]
        pixels, lines = page.read(self.preprocess)
        self.pages[page.id] = pixels, lines
        self.used += pixels.nbytes
        while self.used > self.num_bytes and self.pages:
            _, (old, _) = self.pages.popitem(last=False)
            self.used -= old.nbytes
        return pixels, lines


class _Crops(Dataset[PageBatch]):
    """Batches of crops, each determined by its number and the seed."""

    def __init__(self, data: PageDataModule) -> None:
        self.data = data
        self.cache = _PageCache(data.preprocess, data.cache_mb * 1_000_000)

    def __getitem__(self, numbers: Sequence[int]) -> PageBatch:
        crops, ids = [], []
        for number in numbers:
            generator = np.random.default_rng([self.data.seed, number])
            synthetic = generator.random() < self.data.synthetic_fraction
            pages = self.data.synthetic_pages if synthetic else self.data.pages["train"]
            page = pages[int(generator.integers(len(pages)))]
            pixels, lines = self.cache.read(page)
            crops.append(self.data.augment(pixels, lines, generator))
            ids.append(page.id)
        seed = int(np.random.default_rng([self.data.seed, numbers[0], 1]).integers(2**62))
        return _collate([image for image, _ in crops], [lines for _, lines in crops], ids, seed)


class _WholePages(Dataset[PageBatch]):
    def __init__(self, pages: Sequence[TrainingPage], preprocess: PagePreprocess) -> None:
        self.pages, self.preprocess = pages, preprocess

    def __len__(self) -> int:
        return len(self.pages)

    def __getitem__(self, number: int) -> PageBatch:
        page = self.pages[number]
        pixels, lines = page.read(self.preprocess)
        batch = _collate([pad_page(pixels, SIZE_STEP)], [lines], [page.id], 0)
        return replace(batch, target_lines=[lines])


class _CropBatches:
    """Numbers of the crops of each batch; every epoch has others.

    Attributes:
        epoch: current epoch, from 0.
        num_skipped: number of batches of it that were used before the run was resumed.
    """

    def __init__(self, num_batches: int, batch_size: int, rank: int, world_size: int, repeat: bool) -> None:
        self.num_batches, self.batch_size, self.rank, self.world_size = num_batches, batch_size, rank, world_size
        self.repeat, self.epoch = repeat, 0
        self._skip: dict[int, int] = {}

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def skip_batches(self, epoch: int, num_batches: int) -> None:
        self._skip = {epoch: num_batches}

    @property
    def num_skipped(self) -> int:
        return self._skip.get(self.epoch, 0)

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[list[int]]:
        per_epoch = self.num_batches * self.world_size * self.batch_size
        start = 0 if self.repeat else self.epoch * per_epoch
        for number in range(self.num_skipped, self.num_batches):
            first = start + (number * self.world_size + self.rank) * self.batch_size
            yield list(range(first, first + self.batch_size))


def _collate(
    images: Sequence[NDArray[np.uint8]], lines: Sequence[list[TargetLine]], ids: list[str], seed: int
) -> PageBatch:
    targets = [draw_targets(own, *image.shape) for image, own in zip(images, lines, strict=True)]
    return PageBatch(
        torch.from_numpy(np.stack(images))[:, None],
        torch.from_numpy(np.stack([target.lines for target in targets])),
        torch.from_numpy(np.stack([target.orientations for target in targets])),
        ids,
        [],
        seed,
    )


def _rank_and_world_size() -> tuple[int, int]:
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1

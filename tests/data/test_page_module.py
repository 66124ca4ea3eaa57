"""Batches of crops: the same for the same seed, others in each epoch, continued when a run is resumed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from helpers.page_maps import target

from htr_lightning.data.line import Split
from htr_lightning.data.page_augment import PageAugment
from htr_lightning.data.page_module import PageBatch, PageDataModule
from htr_lightning.data.page_targets import TargetLine
from htr_lightning.errors import InputError
from htr_lightning.image.files import DataError
from htr_lightning.image.page_pixels import PagePreprocess


@dataclass(frozen=True)
class DrawnPage:
    id: str
    height: int

    @property
    def fingerprint(self) -> str:
        return str(self.height)

    def read(self, preprocess: PagePreprocess) -> tuple[np.ndarray, list[TargetLine]]:
        pixels = np.full((self.height, 200), 250, np.uint8)
        pixels[60:64, 20:180] = 30
        return pixels, [target(20, 180, 62)]


@dataclass(frozen=True)
class DrawnPages:
    train: Sequence[int] = (150, 170, 190)
    val: Sequence[int] = (150, 161)

    def pages(self, split: Split) -> list[DrawnPage]:
        heights = {"train": self.train, "val": self.val, "test": ()}[split]
        return [DrawnPage(f"{split}/{height}", height) for height in heights]


def module(**settings: Any) -> PageDataModule:
    settings = {"crops_per_batch": 2, "crops_per_epoch": 8, "num_workers": 0} | settings
    data = PageDataModule(DrawnPages(), PagePreprocess(), PageAugment(crop_px=64), **settings)
    data.setup()
    return data


def epoch(data: PageDataModule, number: int, skip: int = 0) -> list[PageBatch]:
    loader: Any = data.train_dataloader()
    loader.batches.set_epoch(number)
    if skip:
        loader.batches.skip_batches(number, skip)
    return list(loader)


def assert_equal(one: Sequence[PageBatch], other: Sequence[PageBatch]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.ids == b.ids and a.seed == b.seed
        assert all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("images", "lines", "orientations"))


def test_batches_depend_on_seed_and_epoch_alone() -> None:
    first = epoch(module(), 1)
    assert_equal(first, epoch(module(), 1))
    for other in (epoch(module(), 0), epoch(module(seed=2), 1)):
        assert not any(torch.equal(a.images, b.images) for a, b in zip(first, other, strict=True))


def test_a_resumed_epoch_has_the_batches_that_are_left() -> None:
    assert_equal(epoch(module(), 1, skip=3), epoch(module(), 1)[3:])


def test_shapes_of_crops_and_of_whole_pages() -> None:
    data = module()
    batch = epoch(data, 0)[0]
    assert batch.images.shape == (2, 1, 64, 64) and batch.images.dtype == torch.uint8
    assert batch.lines.shape == (2, 4, 32, 32) and batch.orientations.shape == (2, 8, 8) and batch.target_lines == []
    pages: Iterator[PageBatch] = iter(data.val_dataloader())
    whole = list(pages)
    assert [page.ids for page in whole] == [["val/150"], ["val/161"]]
    assert [page.images.shape[2:] for page in whole] == [(160, 224), (192, 224)]
    assert [len(page.target_lines[0]) for page in whole] == [1, 1]


def test_overfit_repeats_the_crops_and_validates_on_the_training_pages() -> None:
    data = module(overfit=True)
    assert_equal(epoch(data, 0), epoch(data, 3))
    assert [page.ids[0] for page in data.val_dataloader()] == ["train/150", "train/170", "train/190"]


def test_synthetic_pages_are_mixed_in() -> None:
    synthetic = DrawnPages(train=(123,))
    for fraction, expected in ((0.0, {"train/150", "train/170", "train/190"}), (1.0, {"train/123"})):
        data = module(synthetic=synthetic, synthetic_fraction=fraction, crops_per_epoch=24)
        assert {id for batch in epoch(data, 0) for id in batch.ids} == expected


def test_an_empty_split_is_named() -> None:
    with pytest.raises(DataError, match="the val split has no pages"):
        PageDataModule(DrawnPages(val=()), PagePreprocess(), PageAugment()).setup()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("crops_per_batch", 0),
        ("crops_per_epoch", 1),
        ("cache_mb", -1),
        ("num_workers", -1),
        ("synthetic_fraction", 0.5),
    ],
)
def test_values_out_of_range(name: str, value: float) -> None:
    with pytest.raises(InputError) as refused:
        module(**{name: value})
    assert refused.value.key == f"loader.{name}"

from pathlib import Path
from typing import Any

import pytest
import torch

from htr_lightning.charset import Charset
from htr_lightning.data.augment import Augment
from htr_lightning.data.batch import count_required_frames
from htr_lightning.data.line import Line, Split
from htr_lightning.data.module import LineDataModule
from htr_lightning.data.sources.lines import Lines
from htr_lightning.image.files import DataError
from htr_lightning.image.ink import to_ink
from htr_lightning.image.preprocess import Preprocess


def module(root: Path, **options: Any) -> LineDataModule:
    return LineDataModule(
        Lines(str(root)), Preprocess(height_px=32), Augment(shear_degrees=20), cache_dir=str(root / "packed"), **options
    )


def test_charset_is_that_of_the_training_texts(small_set: Path) -> None:
    data = module(small_set)
    data.setup()
    texts = [line.text for line in Lines(str(small_set)).lines("train")]
    assert data.charset == Charset.from_texts(texts)


def test_a_charset_can_be_carried_over(small_set: Path) -> None:
    data = module(small_set)
    data.charset = Charset.from_texts(["xyz"]).extend(["bel ami"])
    data.setup()
    assert data.charset is not None and data.charset.characters[:3] == ("x", "y", "z")


def test_fewer_training_lines_are_drawn_by_the_seed_and_more_of_them_contain_fewer(small_set: Path) -> None:
    def drawn(number: int, seed: int = 1) -> list[str]:
        data = module(small_set, max_train_lines=number, seed=seed)
        data.setup()
        assert len(data.packed["val"]) == 8 and len(data.packed["test"]) == 8
        return list(data.packed["train"].column("id"))

    every = [line.id for line in Lines(str(small_set)).lines("train")]
    five, nine = drawn(5), drawn(9)
    assert len(five) == 5 and len(nine) == 9 and set(five) < set(nine)
    assert five == [id for id in every if id in five], "in their order"
    assert five == drawn(5) != drawn(5, seed=2)
    assert drawn(1000) == every
    with pytest.raises(ValueError, match=r"loader\.max_train_lines=0: the number is too small"):
        module(small_set, max_train_lines=0)


def test_only_training_is_augmented_and_by_the_seed_of_the_batch(small_set: Path) -> None:
    data = module(small_set)
    data.setup()
    validated = next(iter(data.val_dataloader()))
    torch.testing.assert_close(data.on_after_batch_transfer(validated, 0).images, to_ink(validated.images))
    batch = next(iter(data.train_dataloader()))
    plain = to_ink(batch.images)
    first, again = data.on_after_batch_transfer(batch, 0), data.on_after_batch_transfer(batch, 0)
    assert torch.equal(first.images, again.images)
    assert first.images.shape != plain.shape or not torch.equal(first.images, plain)
    assert batch.images.dtype == torch.uint8  # the loader's batch is not touched


def test_two_views_of_every_line_in_training_only(small_set: Path) -> None:
    data = module(small_set, num_views=2)
    data.setup()
    validated = next(iter(data.val_dataloader()))
    assert len(data.on_after_batch_transfer(validated, 0)) == len(validated)
    batch = next(iter(data.train_dataloader()))
    views = data.on_after_batch_transfer(batch, 0)
    num = len(batch)
    assert len(views) == len(views.images) == len(views.widths) == 2 * num and views.num_views == 2
    assert views.texts == batch.texts * 2 and views.ids == batch.ids * 2
    assert views.targets.tolist() == batch.targets.tolist() * 2
    assert views.target_lengths.tolist() == batch.target_lengths.tolist() * 2
    assert torch.equal(views.images[:num], views.images[num:]), "module()'s augmentation is geometry"


def test_ink_is_1_and_paper_exactly_0() -> None:
    assert to_ink(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [1.0, 0.0]


def test_setup_twice_reads_once(small_set: Path) -> None:
    calls: list[Split] = []

    class Counting(Lines):
        def lines(self, split: Split) -> list[Line]:
            calls.append(split)
            return super().lines(split)

    data = LineDataModule(Counting(str(small_set)), Preprocess(), Augment(), cache_dir=str(small_set / "packed"))
    data.setup()
    data.setup("test")
    assert calls == ["train", "val", "test"]


def test_messages_name_ten_lines_and_count_the_rest(small_set: Path) -> None:
    for number in range(15):
        (small_set / "train" / f"{number}.png").unlink()
    with pytest.raises(DataError) as caught:
        module(small_set).setup()
    message = str(caught.value)
    assert "15 lines cannot be used" in message and "and 5 more; `python" in message
    assert message.count(".png: there is no such file") == 10


def test_required_frames_count_repeats_within_a_text_only() -> None:
    texts = [[], [1, 2, 3], [3, 3, 2, 2, 2], [2]]
    targets = torch.tensor([label for text in texts for label in text])
    assert count_required_frames(targets, torch.tensor([len(text) for text in texts])).tolist() == [0, 3, 8, 1]


@pytest.mark.parametrize("key", ["pixels_per_batch", "max_lines_per_batch", "width_step_px", "max_shapes"])
def test_sizes_are_checked(small_set: Path, key: str) -> None:
    with pytest.raises(ValueError, match=rf"loader\.{key}=0: the number is too small"):
        module(small_set, **{key: 0})


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_the_share_of_lines_in_common_is_checked(small_set: Path, share: float) -> None:
    with pytest.raises(ValueError, match=r"loader\.max_shared=.*give a number from 0 to 1"):
        module(small_set, max_shared=share)

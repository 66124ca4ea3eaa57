from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from htr_lightning.data.line import Line, Split, WeightedSource
from htr_lightning.data.sources.mix import Mix
from htr_lightning.data.widths import WidthBatchSampler
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import UnusableImage


class Fixed:
    """A dataset with given numbers of lines."""

    def __init__(self, train: int, val: int = 2, group: str = "w") -> None:
        self.sizes: dict[Split, int] = {"train": train, "val": val, "test": 1}
        self.group = group

    def lines(self, split: Split) -> Sequence[Line]:
        return [Line(f"{split}{n}", UnusableImage("no pixels"), "text", self.group) for n in range(self.sizes[split])]


def ids(mix: Mix, split: Split = "train") -> list[str]:
    return [line.id for line in mix.lines(split)]


def test_lines_and_groups_bear_the_name_of_their_dataset() -> None:
    mix = Mix({"real": Fixed(2), "synthetic": Fixed(1, group="")})
    assert ids(mix) == ["real/train0", "real/train1", "synthetic/train0"]
    assert [line.group for line in mix.lines("train")] == ["real/w", "real/w", ""]
    assert isinstance(mix, WeightedSource)


def test_val_and_test_are_of_the_first_dataset_unless_said_otherwise() -> None:
    sources = {"real": Fixed(2), "more": Fixed(3), "synthetic": Fixed(9)}
    assert ids(Mix(sources), "val") == ["real/val0", "real/val1"] and ids(Mix(sources), "test") == ["real/test0"]
    assert ids(Mix(sources, evaluate_on=["synthetic", "real"]), "test") == ["real/test0", "synthetic/test0"]


def test_an_epoch_shows_no_line_twice() -> None:
    mix = Mix({"real": Fixed(30), "synthetic": Fixed(1000)}, weights={"real": 1, "synthetic": 3})
    draws = mix.draws_per_epoch(ids(mix))
    assert draws[:30] == pytest.approx(1) and draws[30:] == pytest.approx(90 / 1000)
    few = Mix({"real": Fixed(30), "synthetic": Fixed(40)}, weights={"real": 1, "synthetic": 9})
    draws = few.draws_per_epoch(ids(few))
    assert draws.max() == pytest.approx(1) and draws.sum() == pytest.approx(40 / 0.9)


def test_lines_per_epoch_repeats_the_lines_of_a_small_set() -> None:
    mix = Mix({"real": Fixed(10), "synthetic": Fixed(500)}, lines_per_epoch=100)
    draws = mix.draws_per_epoch(ids(mix))
    assert draws[:10] == pytest.approx(5) and draws[10:] == pytest.approx(0.1) and draws.sum() == pytest.approx(100)


def test_fractions_are_of_the_usable_lines() -> None:
    mix = Mix({"a": Fixed(10), "a/b": Fixed(10)}, lines_per_epoch=40)
    draws = mix.draws_per_epoch(["a/train1", "a/train2", "a/b/train1", "a/b/train2", "a/b/train3", "a/b/train4"])
    assert draws.tolist() == [10, 10, 5, 5, 5, 5]


def test_a_dataset_of_weight_0_is_not_trained_on_but_may_be_evaluated_on() -> None:
    mix = Mix({"real": Fixed(3), "synthetic": Fixed(2)}, weights={"real": 0, "synthetic": 1}, evaluate_on=["real"])
    assert ids(mix) == ["synthetic/train0", "synthetic/train1"] and ids(mix, "val") == ["real/val0", "real/val1"]


def test_each_epoch_samples_other_lines_in_the_same_fractions() -> None:
    mix = Mix({"real": Fixed(40), "synthetic": Fixed(400)}, weights={"real": 1, "synthetic": 1})
    draws = mix.draws_per_epoch(ids(mix))
    sampler = WidthBatchSampler(
        np.full(440, 100), height_px=10, pixels_per_batch=4000, max_lines=4, shuffle=True, draws_per_epoch=draws
    )
    epochs = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler) == 80 // 3 + 1
        epochs.append(Counter(row for batch in batches for row in batch.rows))
    for rows in epochs:
        assert max(rows.values()) == 1 and rows.total() == 80
        assert sum(row < 40 for row in rows) == 40
    assert set(epochs[0]) != set(epochs[1]) != set(epochs[2])


def test_every_epoch_has_as_many_batches_though_widths_differ() -> None:
    widths = np.random.default_rng(3).integers(20, 900, 300)
    sampler = WidthBatchSampler(
        widths,
        height_px=10,
        pixels_per_batch=4000,
        max_lines=8,
        shuffle=True,
        draws_per_epoch=np.full(300, 0.3),
        world_size=2,
    )
    lengths = set()
    for epoch in range(6):
        sampler.set_epoch(epoch)
        lengths.add(len(list(sampler)))
    assert lengths == {len(sampler)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sources": {}}, "dataset.sources: "),
        ({"weights": {"reel": 1}}, "dataset.weights: unknown dataset 'reel'; choose from real, synthetic"),
        ({"weights": {"real": -1}}, "dataset.weights.real=-1: "),
        ({"weights": {"real": 0, "synthetic": 0}}, "dataset.weights: all weights are 0"),
        (
            {"weights": {"real": 1}},
            r"dataset.weights: .* add \+\+dataset.weights.synthetic=1",
        ),
        ({"evaluate_on": ["x"]}, "dataset.evaluate_on: unknown dataset 'x'"),
        ({"evaluate_on": []}, "dataset.evaluate_on: "),
        ({"lines_per_epoch": 0}, "dataset.lines_per_epoch=0: "),
    ],
)
def test_settings_that_cannot_be(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Mix(**{"sources": {"real": Fixed(1), "synthetic": Fixed(1)}} | arguments)  # type: ignore[arg-type]


def test_a_dataset_without_lines() -> None:
    mix = Mix({"real": Fixed(2), "empty": Fixed(0)})
    with pytest.raises(DataError, match=r"dataset\.sources\.empty: .*dataset\.weights\.empty=0"):
        mix.draws_per_epoch(ids(mix))


def test_what_is_left_out_bears_the_name_of_its_dataset() -> None:
    class Selective(Fixed):
        def left_out(self, split: Split) -> dict[str, list[str]]:
            return {"without transcription": [f"{split}9"]}

    mix = Mix({"real": Selective(2), "more": Selective(2), "fixed": Fixed(2)})
    assert mix.left_out("train") == {"without transcription": ["real/train9", "more/train9"]}

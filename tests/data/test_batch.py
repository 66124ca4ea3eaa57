from collections import Counter
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from htr_lightning.charset import Charset
from htr_lightning.data.batch import Batch, LineDataset, collate, count_required_frames
from htr_lightning.data.packed_lines import PackedLine
from htr_lightning.data.widths import BatchKey, WidthBatchSampler, bucket_widths
from htr_lightning.image.files import DataError


def widths(number: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 900, number)


def sampler(values: np.ndarray, **options: object) -> WidthBatchSampler:
    settings = {"height_px": 48, "pixels_per_batch": 400_000, "max_lines": 64, "shuffle": True} | options
    return WidthBatchSampler(values, **settings)  # type: ignore[arg-type]


def rows(batches: list[BatchKey]) -> Counter[int]:
    return Counter(row for batch in batches for row in batch.rows)


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_line_once_within_the_pixel_budget(shuffle: bool) -> None:
    values = widths(1000)
    batches = list(sampler(values, shuffle=shuffle))
    assert rows(batches) == Counter(range(1000))
    for batch in batches:
        assert len(batch.rows) * 48 * batch.width_px <= 400_000
        assert len(batch.rows) <= 64
        assert values[batch.rows].max() <= batch.width_px and batch.width_px % 32 == 0


def test_order_is_a_function_of_seed_and_epoch() -> None:
    values = widths(300)
    first, again, other = sampler(values, seed=1), sampler(values, seed=1), sampler(values, seed=2)
    assert list(first) == list(again) != list(other)
    again.set_epoch(1)
    assert list(first) != list(again)
    assert {batch.seed for batch in first}.isdisjoint(batch.seed for batch in again)
    first.set_epoch(1)
    assert list(first) == list(again)


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_lines_are_divided_among_ranks(world_size: int) -> None:
    values = widths(500)
    ranks = [sampler(values, rank=r, world_size=world_size) for r in range(world_size)]
    taken = [list(rank) for rank in ranks]
    assert len({len(batches) for batches in taken}) == 1
    assert all(len(rank) == len(batches) for rank, batches in zip(ranks, taken, strict=True))
    assert set(rows(list(chain(*taken)))) == set(range(500))
    evaluated = [list(sampler(values, shuffle=False, rank=r, world_size=world_size)) for r in range(world_size)]
    assert len({len(batches) for batches in evaluated}) == 1  # otherwise ranks would wait for each other
    assert rows(list(chain(*evaluated))) == Counter(range(500))  # none twice, none lost


@given(st.lists(st.integers(1, 3000), max_size=60), st.integers(1, 64), st.integers(1, 8), st.booleans())
def test_length_is_what_iteration_gives(values: list[int], step: int, shapes: int, merge: bool) -> None:
    batches = sampler(np.array(values, np.int64), width_step_px=step, max_shapes=shapes, merge_leftovers=merge)
    taken = list(batches)
    assert len(taken) == len(batches)
    assert rows(taken) == Counter(range(len(values)))
    assert len({batch.width_px for batch in taken}) <= shapes


def test_without_merging_a_line_is_always_padded_to_the_same_width() -> None:
    values = widths(200)
    for batch in sampler(values, merge_leftovers=False, shuffle=False):
        assert all(-(-int(values[row]) // 32) * 32 == batch.width_px for row in batch.rows)


def test_fewer_lines_than_processes_are_refused() -> None:
    with pytest.raises(DataError, match=r"3 lines .* 4 processes"):
        sampler(widths(3), shuffle=False, world_size=4)


def test_rows_can_be_left_out() -> None:
    assert rows(list(sampler(widths(50), exclude=[3, 7]))) == Counter(set(range(50)) - {3, 7})


def test_a_line_wider_than_the_budget_is_a_batch_of_its_own() -> None:
    assert [batch.rows for batch in sampler(np.array([100_000]))] == [[0]]


def test_buckets_are_few() -> None:
    values = widths(1000)
    rounded = bucket_widths(values, 32, 8)
    assert len(np.unique(rounded)) <= 8 and (rounded >= values).all()
    np.testing.assert_array_equal(bucket_widths(values, 32), -(-values // 32) * 32)


def test_collate_pads_with_paper_and_encodes() -> None:
    charset = Charset.from_texts(["abé"])
    lines = [
        PackedLine("x", "ab?", "", np.full((4, 3), 7, np.uint8)),
        PackedLine("y", "e\u0301", "", np.full((4, 5), 9, np.uint8)),
    ]
    batch = collate(lines, 8, charset, seed=5)
    assert batch.images.shape == (2, 1, 4, 8) and batch.images.dtype == torch.uint8
    assert (batch.images[0, 0, :, :3] == 7).all() and (batch.images[0, 0, :, 3:] == 255).all()
    assert batch.widths.tolist() == [3, 5]
    assert batch.target_lengths.tolist() == [2, 1]  # the unknown "?" is no target, but stays in the text
    assert charset.decode(batch.targets.tolist()) == "abé"
    assert batch.texts == ["ab?", "é"] and batch.seed == 5 and len(batch) == 2


def test_texts_without_any_known_character_have_integer_targets() -> None:
    batch = collate([PackedLine("x", "??", "", np.zeros((4, 3), np.uint8))], 8, Charset("a"))
    assert batch.targets.dtype == batch.target_lengths.dtype == batch.widths.dtype == torch.int64
    assert batch.targets.tolist() == [] and batch.target_lengths.tolist() == [0] and batch.seed == 0
    assert count_required_frames(batch.targets, batch.target_lengths).tolist() == [0]


def test_frames_needed_for_repeats_within_a_text() -> None:
    # aab, b, (empty), bbb: the b's of neighboring lines do not repeat each other.
    targets, lengths = torch.tensor([1, 1, 2, 2, 2, 2, 2]), torch.tensor([3, 1, 0, 3])
    assert count_required_frames(targets, lengths).tolist() == [4, 1, 0, 5]


def test_a_data_set_gives_the_batch_of_a_key_and_marks_it() -> None:
    lines = [PackedLine(name, name, "", np.full((4, 3), 7, np.uint8)) for name in "abc"]
    key = BatchKey([2, 0], 8, 5)
    for augment in (True, False):
        batch = LineDataset(lines, Charset("abc"), augment=augment)[key]  # type: ignore[arg-type]
        assert (batch.ids, batch.seed, batch.augment) == (["c", "a"], 5, augment)
        assert batch.images.shape == (2, 1, 4, 8) and batch.num_views == 1
    assert not LineDataset(lines, Charset("abc"))[key].augment  # type: ignore[arg-type]


def test_views_repeat_everything_but_the_images() -> None:
    one = collate([PackedLine(name, name, "", np.zeros((4, 3), np.uint8)) for name in ("ab", "c")], 8, Charset("abc"))
    images, widths = torch.rand(4, 1, 4, 9), torch.tensor([3, 4, 5, 6])
    both = one.with_views(images, widths)
    assert both.images is images and both.widths is widths and both.num_views == 2
    assert both.targets.tolist() == [1, 2, 3] * 2 and both.target_lengths.tolist() == [2, 1] * 2
    assert both.ids == both.texts == ["ab", "c"] * 2 and both.seed == one.seed


def test_the_images_of_a_batch_are_pinned() -> None:
    class Unpinned(torch.Tensor):
        def pin_memory(self) -> torch.Tensor:  # type: ignore[override]  # the real one needs a GPU
            return torch.ones(1)

    numbers = torch.tensor([1])
    batch = Batch(torch.zeros(1).as_subclass(Unpinned), numbers, numbers, numbers, ["a"], ["a"], seed=0)
    assert batch.pin_memory().images.tolist() == [1] and batch.pin_memory().ids == ["a"]


def test_skipped_batches_are_left_out_of_one_epoch() -> None:
    batches = sampler(np.full(40, 100), shuffle=True, max_lines=4, seed=3)
    batches.set_epoch(2)
    whole = list(batches)
    batches.skip_batches(2, 3)
    assert len(batches) == len(whole) and list(batches) == whole[3:] == list(batches)
    batches.set_epoch(3)
    assert len(list(batches)) == len(whole)

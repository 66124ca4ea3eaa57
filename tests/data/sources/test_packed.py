"""Sets of packed files: written in shards, opened as one training set, refused when something is wrong with them."""

import json
import pickle
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from htr_lightning.data import packed_lines, packed_writer
from htr_lightning.data.augment import Augment
from htr_lightning.data.line import SPLITS, Line, SelectiveSource, WeightedSource, load_pixels
from htr_lightning.data.module import LineDataModule
from htr_lightning.data.pack import pack
from htr_lightning.data.pack_set import pack_set, plan_files, refuse_other_set
from htr_lightning.data.sources.lines import Lines
from htr_lightning.data.sources.mix import Mix
from htr_lightning.data.sources.packed import Packed
from htr_lightning.device import Shard
from htr_lightning.doctor.facts import Settings, collect_facts
from htr_lightning.files import OutputError
from htr_lightning.image.files import DataError
from htr_lightning.image.preprocess import Preprocess

PREPROCESS = Preprocess(height_px=32, pad_px=3)


def write_set(
    root: Path, folder: Path, preprocess: Preprocess = PREPROCESS, lines_per_file: int = 10, shard: str = "1/1"
) -> Path:
    files = plan_files(Lines(str(root)), preprocess, folder, lines_per_file)
    folder.mkdir(exist_ok=True)
    pack_set(files, preprocess, shard=Shard.parse(shard))
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.lines"))


def content(lines: Sequence[object]) -> list[tuple[str, str, str, bytes]]:
    return [(line.id, line.text, line.group, line.pixels.tobytes()) for line in lines]  # type: ignore[attr-defined]


def test_a_set_has_the_lines_of_its_dataset_in_order(small_set: Path, tmp_path: Path) -> None:
    folder = write_set(small_set, tmp_path / "packed")
    assert names(folder) == [
        "test-00001-of-00001.lines",
        *(f"train-0000{number}-of-00003.lines" for number in (1, 2, 3)),
        "val-00001-of-00001.lines",
    ]
    for split in SPLITS:
        one_file = pack(Lines(str(small_set)).lines(split), PREPROCESS, tmp_path / "cache")
        several = Packed(str(folder)).open_packed(split, PREPROCESS)
        assert content([several[row] for row in range(len(several))]) == content(one_file)
        assert several.widths.tolist() == one_file.widths.tolist() and several.height_px == one_file.height_px
        for name in ("id", "text", "group", "digest"):
            column = several.column(name)
            assert list(column) == list(one_file.column(name)) == [column[row] for row in range(len(column))]


def test_shards_of_any_number_write_the_same_files(small_set: Path, tmp_path: Path) -> None:
    at_once = write_set(small_set, tmp_path / "one")
    by_three = tmp_path / "three"
    for number in (3, 1, 2):
        write_set(small_set, by_three, shard=f"{number}/3")
    assert names(by_three) == names(at_once)
    for name in names(at_once):
        one, other = (packed_lines.PackedLines(folder / name) for folder in (at_once, by_three))
        assert content(one) == content(other) and one.part == other.part and one.fingerprint == other.fingerprint


def test_workers_and_subsets_read_the_same_lines(small_set: Path, tmp_path: Path) -> None:
    packed = Packed(str(write_set(small_set, tmp_path / "packed"))).open_packed("train", PREPROCESS)
    rows = np.array([0, 9, 10, 19, 23])
    subset = packed.select(rows)
    for lines in (subset, pickle.loads(pickle.dumps(subset))):
        assert content(lines) == content([packed[row] for row in rows.tolist()])
        assert list(lines.column("text")) == [lines.column("text")[row] for row in range(5)] == [x.text for x in lines]
        assert lines.widths.tolist() == packed.widths[rows].tolist()
        assert lines.column("id")[1:3] == [packed[9].id, packed[10].id] and lines.column("id")[-1] == packed[23].id
    assert subset.fingerprint != packed.fingerprint
    assert content(packed.select(np.arange(5, 24)).select(np.array([0, 4, 5]))) == content(
        [packed[row] for row in (5, 9, 10)]
    )
    for index in (5, 24):
        with pytest.raises(IndexError):
            subset[index]


def test_training_lines_are_a_subset_by_the_seed_as_without_packing(small_set: Path, tmp_path: Path) -> None:
    folder = write_set(small_set, tmp_path / "packed")

    def drawn(source: object) -> list[str]:
        data = LineDataModule(
            source,  # type: ignore[arg-type]
            PREPROCESS,
            Augment(),
            cache_dir=str(tmp_path / "cache"),
            max_train_lines=7,
            seed=3,
        )
        data.setup()
        assert len(data.packed["val"]) == 8
        return list(data.packed["train"].column("id"))

    assert drawn(Packed(str(folder))) == drawn(Lines(str(small_set)))


def test_nothing_is_listed_or_packed_when_a_set_is_opened(small_set: Path, tmp_path: Path) -> None:
    folder = write_set(small_set, tmp_path / "packed")
    shutil.rmtree(small_set)
    cache = tmp_path / "cache"
    data = LineDataModule(Packed(str(folder)), PREPROCESS, Augment(), cache_dir=str(cache))
    data.setup()
    data.drop_infeasible(lambda widths: widths // 4)
    assert sum(len(batch) for batch in data.train_dataloader()) == 24 and not cache.exists()


def test_lines_of_a_set_are_not_preprocessed_again(small_set: Path, tmp_path: Path) -> None:
    source = Packed(str(write_set(small_set, tmp_path / "packed")))
    assert isinstance(source, SelectiveSource)
    lines, packed = source.lines("train"), source.open_packed("train", PREPROCESS)
    assert [line.id for line in lines] == list(packed.column("id")) == [lines[row].id for row in range(24)]
    assert [line.id for line in lines[8:12]] == list(packed.column("id"))[8:12]
    for line in (lines[0], list(lines)[23], pickle.loads(pickle.dumps(lines[10]))):
        np.testing.assert_array_equal(load_pixels(line, PREPROCESS), line.image.read())
    with pytest.raises(DataError, match=r"packed with preprocess\.pad_px=3, not 0"):
        load_pixels(lines[0], replace(PREPROCESS, pad_px=0))
    facts = collect_facts("train", lines, PREPROCESS)
    assert facts.input_widths_px.tolist() == packed.widths.tolist() and not facts.problems


def test_a_set_is_a_part_of_a_mixture(small_set: Path, tmp_path: Path) -> None:
    mix = Mix({"a": Packed(str(write_set(small_set, tmp_path / "packed"))), "b": Lines(str(small_set))})
    data = LineDataModule(mix, PREPROCESS, Augment(), cache_dir=str(tmp_path / "cache"))
    data.setup()
    train = {line.id: line.pixels for line in data.packed["train"]}
    assert len(train) == 48
    for number in range(24):
        np.testing.assert_array_equal(train[f"a/train/{number}.png"], train[f"b/train/{number}.png"])


def test_unusable_lines_are_named_when_a_run_opens_the_set(small_set: Path, tmp_path: Path) -> None:
    (small_set / "train" / "5.png").write_bytes(b"damaged")
    source = Packed(str(write_set(small_set, tmp_path / "packed")))
    assert [list(ids) for ids in source.left_out("train").values()] == [["train/5.png"]] and not source.left_out("val")
    with pytest.raises(DataError, match=r"1 line cannot be used"):
        LineDataModule(source, PREPROCESS, Augment()).setup()
    data = LineDataModule(source, PREPROCESS, Augment(), max_skipped=1)
    data.setup()
    assert len(data.packed["train"]) == 23


class Weighted(Lines):
    """Draws the first line of a split three times per epoch."""

    def draws_per_epoch(self, ids: Sequence[str]) -> np.ndarray:
        return np.array([3.0 if line_id == "train/0.png" else 0.5 for line_id in ids])


def test_the_weights_of_lines_are_kept(small_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "packed"
    folder.mkdir()
    weighted = Weighted(str(small_set))
    assert isinstance(weighted, WeightedSource)
    files = plan_files(weighted, PREPROCESS, folder, 10)
    pack_set(files, PREPROCESS)
    source = Packed(str(folder))
    data = LineDataModule(source, PREPROCESS, Augment())
    data.setup()
    expected = weighted.draws_per_epoch([line.id for line in weighted.lines("train")])
    assert data.packed["train"].draws is not None and data.packed["train"].draws.tolist() == expected.tolist()
    assert data.packed["val"].draws is None
    assert sum(len(batch) for batch in data.train_dataloader()) == 3 + 12
    assert source.draws_per_epoch(["train/1.png", "train/0.png"]).tolist() == [0.5, 3.0]
    again = plan_files(source, PREPROCESS, folder, 10)
    assert again[0].draws == files[0].draws and again[0].part.source == "Weighted"


def damage_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def damage_pixels(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:40] + bytes([data[40] ^ 0xFF]) + data[41:])


Change = Callable[[Path], object]
FIRST, SECOND = "train-00001-of-00003.lines", "train-00002-of-00003.lines"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: [path.unlink() for path in folder.iterdir()], "there is no packed file.*htr_lightning pack"),
        (lambda folder: shutil.rmtree(folder), "there is no such folder"),
        (lambda folder: (folder / SECOND).unlink(), f"1 of 5 files are missing: {SECOND}; run the pack command"),
        (lambda folder: (folder / "val-00001-of-00001.lines").unlink(), "missing: val-00001-of-00001"),
        (lambda folder: damage_end(folder / SECOND), f"{SECOND}: not a complete file of packed lines.*pack its lines"),
        (lambda folder: damage_pixels(folder / FIRST), f"{FIRST}: the pixels of the packed line train/0.png are dam"),
        (
            lambda folder: (folder / SECOND).rename(folder / "train-00002-of-00004.lines"),
            f"1 of 5 files are missing: {SECOND}",
        ),
    ],
    ids=["empty", "no folder", "file missing", "split missing", "cut", "pixels", "renamed"],
)
def test_an_incomplete_or_damaged_set_is_refused(small_set: Path, tmp_path: Path, change: Change, message: str) -> None:
    folder = write_set(small_set, tmp_path / "packed")
    change(folder)
    with pytest.raises(DataError, match=message):
        Packed(str(folder)).open_packed("train", PREPROCESS)


def test_files_of_two_sets_in_one_folder_are_refused(small_set: Path, tmp_path: Path) -> None:
    folder = write_set(small_set, tmp_path / "packed")
    others = {
        "preprocess.height_px=32 and 48": (Preprocess(height_px=48, pad_px=3), 10),
        "3 and 5 files of train": (PREPROCESS, 5),
    }
    for number, (problem, (preprocess, lines_per_file)) in enumerate(others.items()):
        other = write_set(small_set, tmp_path / f"other{number}", preprocess, lines_per_file)
        both = shutil.copytree(folder, tmp_path / f"both{number}")
        shutil.copy(other / names(other)[1], both / names(other)[1])
        with pytest.raises(DataError, match=rf"are of different sets \({problem}\)"):
            Packed(str(both)).lines("train")
    manifest = small_set / "val.tsv"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("0.png\t", "0.png\tx "), encoding="utf-8")
    other = write_set(small_set, tmp_path / "texts")
    shutil.copy(other / FIRST, folder / FIRST)
    with pytest.raises(DataError, match=r"are of different sets \(other lines\); keep each set in a folder"):
        Packed(str(folder)).lines("train")


def test_another_preprocessing_is_refused_with_the_keys_to_set(small_set: Path, tmp_path: Path) -> None:
    source = Packed(str(write_set(small_set, tmp_path / "packed")))
    with pytest.raises(DataError) as error:
        source.open_packed("train", Preprocess(height_px=48, deslant=True))
    assert "preprocess.height_px=32, not 48" in str(error.value)
    assert "set ++preprocess.height_px=32 ++preprocess.deslant=false ++preprocess.pad_px=3" in str(error.value)
    assert len(source.open_packed("train", replace(PREPROCESS, max_width_px=4000))) == 24, "limits change no pixel"


def test_a_file_of_another_format_is_refused(small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_writer, "FORMAT", packed_lines.FORMAT - 1)
    folder = tmp_path / "packed"
    with pytest.raises(DataError, match=r"packed by an older version .*; pack its lines again"):
        write_set(small_set, folder)
    assert names(folder) == [FIRST]
    monkeypatch.undo()
    assert len(names(write_set(small_set, folder))) == 5, "packed again"


def test_a_cached_file_is_no_part_of_a_set(small_set: Path, tmp_path: Path) -> None:
    folder = write_set(small_set, tmp_path / "packed")
    cached = pack(Lines(str(small_set)).lines("train"), PREPROCESS, tmp_path / "cache")
    assert "set" not in json.loads(pa.ipc.open_stream(cached._read_table()[1]).schema.metadata[b"htr_lightning"])
    shutil.copy(cached.path, folder / FIRST)
    with pytest.raises(DataError, match=f"{FIRST}: no file of a packed set"):
        Packed(str(folder)).lines("train")
    files = plan_files(Lines(str(small_set)), PREPROCESS, folder, 10)
    with pytest.raises(OutputError, match=rf"{FIRST} is of another set \(no set\).*--overwrite"):
        refuse_other_set(folder, files, overwrite=False)


def test_a_copied_set_is_verified_once(small_set: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_set(small_set, tmp_path / "packed")
    copied = Path(shutil.copytree(folder, tmp_path / "copied", copy_function=shutil.copyfile))
    with caplog.at_level("INFO"):
        Packed(str(copied)).open_packed("train", PREPROCESS)
        assert "verifying 3 files that changed or were copied" in caplog.text
        caplog.clear()
        Packed(str(copied)).open_packed("train", PREPROCESS)
    assert "verifying" not in caplog.text


def test_duplicate_ids_in_different_files_are_refused(tmp_path: Path) -> None:
    class Twice:
        def lines(self, split: str) -> list[Line]:
            line = Lines.__new__(Lines)
            return [Line(f"id{number % 5}", line, "text") for number in range(6)]  # type: ignore[arg-type]

    with pytest.raises(DataError, match="id0: two lines have this id"):
        plan_files(Twice(), PREPROCESS, tmp_path, 2)


def test_a_packed_dataset_counts_as_the_one_before(small_set: Path, tmp_path: Path) -> None:
    source = Packed(str(write_set(small_set, tmp_path / "packed")))
    assert source.source_name == "Lines" and not Settings.from_config({}, source, PREPROCESS).groups_are_fonts

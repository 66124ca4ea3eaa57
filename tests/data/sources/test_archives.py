"""Parquet files of several archives, balanced by archive and writer."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.typesetting import typeset

from htr_lightning.data.line import WeightedSource
from htr_lightning.data.sources.archives import Archives
from htr_lightning.data.sources.lines import Lines
from htr_lightning.data.sources.mix import Mix
from htr_lightning.image.files import DataError


def encode(text: str) -> dict[str, Any]:
    content = io.BytesIO()
    typeset(text).save(content, "PNG")
    return {"bytes": content.getvalue(), "path": None}


def write_archive(root: Path, name: str, rows: Sequence[tuple[str, str, str]]) -> None:
    """Write rows of text, writer and split."""
    texts, writers, splits = zip(*rows, strict=True)
    pages = [f"{writer}-{split}" for _, writer, split in rows]
    columns = {"image": [encode(text) for text in texts], "text": texts, "writer": writers, "split": splits}
    pq.write_table(pa.table({name: list(values) for name, values in (columns | {"page": pages}).items()}), root / name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One archive of two writers with six and two lines, and one of short cells."""
    long = [("le roi dit non", "anna", "train")] * 6 + [("bel ami et rit", "bert", "train")] * 2
    write_archive(tmp_path, "letters.parquet", [*long, ("ciel et bon", "anna", "val")])
    cells = [("12", "carl", "train")] * 6 + [("mal et bon dada", "carl", "train")] * 2
    write_archive(tmp_path, "registers.parquet", [*cells, ("bon dada rit", "carl", "test")])
    return tmp_path


def draws(source: Archives) -> dict[str, list[float]]:
    lines = source.lines("train")
    numbers = source.draws_per_epoch(line.id for line in lines)
    by_archive: dict[str, list[float]] = {}
    for line, number in zip(lines, numbers.tolist(), strict=True):
        by_archive.setdefault(line.id.partition(".")[0], []).append(number)
    return by_archive


def test_each_file_is_an_archive(root: Path) -> None:
    source = Archives(str(root))
    assert isinstance(source, WeightedSource)
    assert [len(source.lines(split)) for split in ("train", "val", "test")] == [16, 1, 1]
    assert source.lines("val")[0].group == "anna-val"
    assert draws(source) == {"letters": 8 * [1.0], "registers": 8 * [1.0]}


def test_writers_short_lines_and_archives_are_balanced(root: Path) -> None:
    assert draws(Archives(str(root), max_lines_per_writer=3))["letters"] == 6 * [0.5] + 2 * [1.0]
    limited = draws(Archives(str(root), max_short_fraction=0.25))["registers"]
    assert limited[:6] == pytest.approx(6 * [1 / 9]) and limited[6:] == [1, 1]
    assert sum(limited[:6]) / sum(limited) == pytest.approx(0.25)
    weighted = draws(Archives(str(root), weights={"letters": 2.5}, max_lines_per_writer=3))["letters"]
    assert weighted == 6 * [1.25] + 2 * [2.5]
    assert list(draws(Archives(str(root), weights={"registers": 0}))) == ["letters"]


def test_weights_are_kept_within_a_mix(root: Path, small_set: Path) -> None:
    archives = Archives(str(root), weights={"letters": 3})
    mix = Mix({"a": archives, "b": Lines(str(small_set))}, weights={"a": 1, "b": 1}, lines_per_epoch=64)
    ids = [line.id for line in mix.lines("train")]
    numbers = mix.draws_per_epoch(ids)
    fractions = {name: sum(n for i, n in zip(ids, numbers, strict=True) if i.startswith(name)) for name in "ab"}
    assert fractions == pytest.approx({"a": 32, "b": 32})
    letters, registers = (
        np.mean([n for i, n in zip(ids, numbers, strict=True) if name in i]) for name in ("lett", "reg")
    )
    assert letters == pytest.approx(3 * registers)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": {"notes": 1}}, r"dataset\.weights: there is no archive 'notes' .*choose from letters, registers"),
        ({"weights": {"letters": -1}}, r"dataset\.weights\.letters=-1: "),
        ({"max_lines_per_writer": 0}, r"dataset\.max_lines_per_writer=0: "),
        ({"max_short_fraction": 0.0}, r"dataset\.max_short_fraction=0\.0: "),
        ({"writer_column": "hand"}, r"dataset\.writer_column=hand: .*letters\.parquet: "),
    ],
)
def test_bad_settings(root: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Archives(str(root), **settings).lines("train")


def test_bad_files(root: Path, tmp_path: Path) -> None:
    (root / "registers.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"registers\.parquet: .*damaged"):
        Archives(str(root)).lines("train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"dataset\.root=.*empty: there is no Parquet file"):
        Archives(str(tmp_path / "empty")).lines("train")
    with pytest.raises(DataError, match=r"dataset\.root=.*nowhere"):
        Archives(str(tmp_path / "nowhere")).lines("train")

"""The command that packs a dataset, and the commands that read what it wrote."""

import json
import os
from pathlib import Path

import pytest

from htr_lightning.cli import doctor, extract, pack
from htr_lightning.data.line import SPLITS
from htr_lightning.data.sources.lines import Lines
from htr_lightning.data.sources.packed import Packed
from htr_lightning.image.preprocess import Preprocess

SECOND = "train-00002-of-00003.lines"


def run_pack(root: Path, out: Path, *more: str) -> None:
    dataset = ["dataset=lines", f"dataset.root={root}", "preprocess.height_px=32"]
    pack.main([*dataset, "--out", str(out), "--lines-per-file", "10", *more])


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in folder.glob("*.lines")}


def test_it_writes_only_what_is_missing_or_has_changed(
    small_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run_pack(small_set, out)
    assert (
        f"40 lines in 5 files in {out}; train on them with dataset=packed dataset.root={out}" in capsys.readouterr().out
    )
    before = times(out)
    run_pack(small_set, out)
    assert "; 5 files were complete already" in capsys.readouterr().out and times(out) == before
    (out / SECOND).write_bytes(b"damaged")
    os.utime(small_set / "train" / "3.png", (1, 1))  # as if it had been scanned again
    run_pack(small_set, out)
    assert "; 3 files were complete already" in capsys.readouterr().out
    after = times(out)
    assert {name for name in after if after[name] != before[name]} == {"train-00001-of-00003.lines", SECOND}


def test_shards_say_what_the_others_have_to_do(
    small_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run_pack(small_set, out, "--shard", "1/2")
    said = capsys.readouterr().out
    assert "3 files" in said and f"of other shards, {SECOND}, val-00001-of-00001.lines are still missing" in said
    with pytest.raises(SystemExit, match=f"2 of 5 files are missing: {SECOND}, val"):
        extract.main([str(tmp_path / "lines"), "dataset=packed", f"dataset.root={out}"])
    run_pack(small_set, out, "--shard", "2/2")
    assert "missing" not in capsys.readouterr().out
    assert [len(Packed(str(out)).open_packed(split, Preprocess(height_px=32))) for split in SPLITS] == [24, 8, 8]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--shard", "3/2"], "--shard 3/2: there is no such part"),
        (["--shard", "two"], "--shard two: this is no part"),
        (["--shard", "6/7"], "--shard 6/7: the dataset makes only 5 files; use at most 5 shards"),
        (["dataset.root=nowhere"], "dataset.root=nowhere: there is no such folder"),
    ],
)
def test_what_cannot_be_used_is_named(small_set: Path, tmp_path: Path, more: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        run_pack(small_set, tmp_path / "out", *more)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "more", [["dataset=nonsense"], ["++preprocess.pad_px=-1"], ["+preprocess.nonsense=1"], ["dataset=pages"]]
)
def test_a_wrong_configuration_is_a_usage_error(
    small_set: Path, tmp_path: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_pack(small_set, tmp_path / "out", *more)
    assert ended.value.code == 2 and capsys.readouterr().err.count("\n") <= 3


def test_a_folder_that_cannot_be_written(small_set: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=r"--out .*file.*cannot be written"):
        run_pack(small_set, tmp_path / "file")


def test_files_of_another_set_are_kept_unless_told_otherwise(
    small_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run_pack(small_set, out)
    before = times(out)
    other = ["preprocess.height_px=48", "--lines-per-file", "100"]
    with pytest.raises(SystemExit, match=r"--out .*of another set \(preprocess\.height_px=32 and 48\); .*--overwrite"):
        run_pack(small_set, out, *other)
    with pytest.raises(SystemExit, match=r"of another set \(3 and 1 files of train\)"):
        run_pack(small_set, out, "--lines-per-file", "100")
    assert times(out) == before
    run_pack(small_set, out, *other, "--overwrite")
    assert sorted(times(out)) == [f"{split}-00001-of-00001.lines" for split in ("test", "train", "val")]
    assert "complete already" not in capsys.readouterr().out.splitlines()[-1]


def test_unusable_lines_are_named_and_the_rest_is_packed(
    small_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (small_set / "train" / "3.png").write_bytes(b"damaged")
    out = tmp_path / "out"
    with pytest.raises(SystemExit, match=r"(?s)1 line cannot be used:.*3\.png: not an image.*loader\.max_skipped=1"):
        run_pack(small_set, out)
    assert "39 lines in 5 files" in capsys.readouterr().out
    run_pack(small_set, out, "loader.max_skipped=1")
    assert "5 files were complete already" in capsys.readouterr().out


def test_other_commands_read_a_packed_set(small_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, report = tmp_path / "out", tmp_path / "report"
    run_pack(small_set, out)
    packed = ["dataset=packed", f"dataset.root={out}"]
    extract.main([str(tmp_path / "lines"), *packed, "--split", "val"])
    before, after = (Lines(str(root)).lines("val") for root in (small_set, tmp_path / "lines"))
    assert [line.text for line in after] == [line.text for line in before]
    with pytest.raises(SystemExit):
        doctor.main([*packed, "preprocess.height_px=32", "--out", str(report)])
    found = json.loads((report / "report.json").read_text(encoding="utf-8"))
    assert found["splits"]["train"]["lines"] == 24 and "error" not in {item["severity"] for item in found["findings"]}
    run_pack(small_set, tmp_path / "again", *packed, "--lines-per-file", "100")
    assert "40 lines in 3 files" in capsys.readouterr().out
    for split in SPLITS:
        one, other = (Packed(str(folder)).open_packed(split, Preprocess(32)) for folder in (out, tmp_path / "again"))
        assert list(one.column("digest")) == list(other.column("digest"))

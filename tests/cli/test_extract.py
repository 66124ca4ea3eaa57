from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from htr_lightning.cli import extract
from htr_lightning.data.sources.lines import Lines


def test_what_is_written_can_be_read_as_a_data_set(small_set: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    extract.main([str(out), "dataset=lines", f"dataset.root={small_set}", "--split", "val", "--limit", "5"])
    before, after = Lines(str(small_set)).lines("val")[:5], Lines(str(out)).lines("val")
    assert [line.text for line in before] == [line.text for line in after]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.image.read(), other.image.read())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dataset=lines", "dataset.root=nowhere"], "dataset.root=nowhere: there is no such folder"),
        (["dataset=lines"], "dataset.root: required"),
        (["dataset=nonsense"], "nonsense"),
        (["dataset.nonsense=1"], "nonsense"),
        (["dataset=pages", "dataset.root=."], "dataset: PageLayouts has no method lines"),
    ],
)
def test_what_cannot_be_used_is_named(overrides: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=message):
        extract.main([str(tmp_path / "out"), *overrides])


def test_folder_that_cannot_be_written(small_set: Path, tmp_path: Path) -> None:
    Image.new("L", (1, 1)).save(tmp_path / "file.png")
    with pytest.raises(SystemExit, match=r"file\.png.*cannot be written"):
        extract.main([str(tmp_path / "file.png"), "dataset=lines", f"dataset.root={small_set}"])


def test_own_configs_are_found(small_set: Path, tmp_path: Path) -> None:
    (tmp_path / "conf" / "dataset").mkdir(parents=True)
    (tmp_path / "conf" / "dataset" / "mine.yaml").write_text(
        f"_target_: htr_lightning.data.sources.lines.Lines\nroot: {small_set}\n"
    )
    extract.main([str(tmp_path / "out"), "dataset=mine", "--config-dir", str(tmp_path / "conf"), "--limit", "2"])
    assert len(Lines(str(tmp_path / "out")).lines("test")) == 2


def test_damaged_lines_are_named_or_left_out(small_set: Path, tmp_path: Path) -> None:
    (small_set / "test" / "3.png").write_bytes(b"damaged")
    arguments = [str(tmp_path / "out"), "dataset=lines", f"dataset.root={small_set}"]
    with pytest.raises(SystemExit, match=r"(?s)1 line cannot be used:.*3\.png: not an image.*loader\.max_skipped=1"):
        extract.main(arguments)
    extract.main([*arguments, "loader.max_skipped=1"])
    assert len(Lines(str(tmp_path / "out")).lines("test")) == 7


def test_two_processes_do_not_write_the_same_split(small_set: Path, tmp_path: Path) -> None:
    arguments = [str(tmp_path / "out"), "dataset=lines", f"dataset.root={small_set}", "--split"]
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".test.lock"):
        with pytest.raises(SystemExit, match="another process"):
            extract.main([*arguments, "test"])
        extract.main([*arguments, "val"])
    extract.main([*arguments, "test"])
    assert len(Lines(str(tmp_path / "out")).lines("test")) == 8

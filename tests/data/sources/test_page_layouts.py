"""Folders of pages with baselines."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.layouts import alto_xml, page_xml, points, text_line
from PIL import Image

from htr_lightning.data.sources.page_layouts import PageLayouts
from htr_lightning.image.files import DataError
from htr_lightning.image.page_pixels import PagePreprocess

LINES = [text_line("a", top=100), text_line("b", top=200)]


def write_pages(root: Path, *names: str, form: str = "page") -> Path:
    for name in names:
        path = root / f"{name}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = page_xml if form == "page" else alto_xml
        path.write_text(writer(LINES, image=f"{path.stem}.png"))
        Image.fromarray(np.full((800, 1000), 240, np.uint8)).save(path.with_suffix(".png"))
    return root


def ids(root: Path, split: Any, **settings: Any) -> list[str]:
    return [page.id for page in PageLayouts(str(root), **settings).pages(split)]


def test_both_formats_and_lines_in_px_of_the_network(tmp_path: Path) -> None:
    write_pages(tmp_path, "train/a", "val/c")
    write_pages(tmp_path, "train/sub/b", form="alto")
    assert ids(tmp_path, "train") == ["train/a", "train/sub/b"] and ids(tmp_path, "val") == ["val/c"]
    for page in PageLayouts(str(tmp_path)).pages("train"):
        pixels, lines = page.read(PagePreprocess(longest_px=500))
        assert pixels.shape == (400, 500)
        np.testing.assert_allclose([line.baseline[0] for line in lines], [(5, 61), (5, 111)], atol=0.1)
        assert all(8 < line.above < 13 and 1 < line.below < 5 for line in lines)


def test_splits_by_ratio_and_group(tmp_path: Path) -> None:
    write_pages(tmp_path, *(f"{box}_{page}" for box in "abcd" for page in range(3)))
    settings = {"split_ratios": [0.5, 0.5, 0.0], "group_pattern": r"(\w)_"}
    splits = {split: ids(tmp_path, split, **settings) for split in ("train", "val", "test")}
    assert sorted(splits["train"] + splits["val"]) == sorted(f"{b}_{p}" for b in "abcd" for p in range(3))
    assert splits["train"] and splits["val"] and splits["test"] == []
    assert not {name[0] for name in splits["train"]} & {name[0] for name in splits["val"]}


def test_keep_and_drop(tmp_path: Path) -> None:
    write_pages(tmp_path, "train/a1", "train/a2", "train/b1")
    assert ids(tmp_path, "train", keep="/a") == ["train/a1", "train/a2"]
    assert ids(tmp_path, "train", keep="/a", drop="2$") == ["train/a1"]


def test_pages_without_baselines_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_pages(tmp_path, "train/a", "train/b")
    (tmp_path / "train/b.xml").write_text(page_xml([text_line("l", baseline=points())], image="b.png"))
    with pytest.raises(DataError) as refused:
        ids(tmp_path, "train")
    assert "b.xml" in str(refused.value) and "has a baseline" in str(refused.value)
    assert "dataset.max_skipped=1" in str(refused.value)
    assert ids(tmp_path, "train", max_skipped=1) == ["train/a"] and "b.xml" in caplog.text


def test_an_image_of_another_shape_is_named(tmp_path: Path) -> None:
    write_pages(tmp_path, "train/a")
    Image.new("L", (1000, 300)).save(tmp_path / "train/a.png")
    with pytest.raises(DataError, match=r"a\.xml"):
        ids(tmp_path, "train")


def test_a_page_without_lines_is_a_page(tmp_path: Path) -> None:
    write_pages(tmp_path, "train/a")
    (tmp_path / "train/a.xml").write_text(page_xml([], image="a.png"))
    (page,) = PageLayouts(str(tmp_path)).pages("train")
    assert page.read(PagePreprocess())[1] == []


@pytest.mark.parametrize(
    ("settings", "key"), [({"val": "v"}, "dataset.train"), ({"keep": "("}, "keep"), ({"split_ratios": [1, 1]}, "split")]
)
def test_wrong_arguments(tmp_path: Path, settings: dict[str, Any], key: str) -> None:
    with pytest.raises(DataError, match=key):
        PageLayouts(str(tmp_path), **settings)

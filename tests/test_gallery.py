from pathlib import Path

import pytest
from conftest import typeset
from PIL import Image

from htr_lightning import gallery


def test_writes_two_pictures_that_fit_a_page(tmp_path: Path) -> None:
    typeset("a line of ours", 60).save(tmp_path / "line.png")
    gallery.main([str(tmp_path / "line.png"), "--out", str(tmp_path / "out")])
    for name in ("preprocessing", "augmentation"):
        with Image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert picture.width <= 1600 and picture.height > 100
            assert len(picture.getcolors() or []) > 4


def test_names_a_missing_image_and_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"none\.png"):
        gallery.main([str(tmp_path / "none.png"), "--out", str(tmp_path)])
    typeset("a").save(tmp_path / "line.png")
    with pytest.raises(SystemExit, match=r"--out .* cannot be written"):
        gallery.main([str(tmp_path / "line.png"), "--out", str(tmp_path / "line.png")])

import os
import unicodedata
from pathlib import Path

import pytest

from htr_lightning.data.sources.data_files import find_files
from htr_lightning.data.sources.page_images import PageImages
from htr_lightning.image.files import DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    for name in ("page/0001.xml", "0001.jpg", "scans/0002.TIF", "OCR-D-IMG/0003.png", "OCR-D-BIN/0003.png", ".x/9.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (tmp_path / "secret.png").touch()
    return root


@pytest.mark.parametrize(
    ("layout", "name", "found"),
    [
        ("page/0001.xml", "0001.jpg", "0001.jpg"),  # Transkribus: layouts in a folder beside the images
        ("page/a.xml", "../0001.jpg", "0001.jpg"),
        ("OCR-D-GT/0003.xml", "OCR-D-IMG/0003.png", "OCR-D-IMG/0003.png"),  # OCR-D: seen from the workspace
        ("OCR-D-BIN/0003.xml", "0003.png", "OCR-D-BIN/0003.png"),  # the nearest of two
        ("page/x.xml", "0002.tif", "scans/0002.TIF"),
        ("page/x.xml", "C:\\Users\\me\\scans\\0002.tif", "scans/0002.TIF"),
        ("page/x.xml", "/home/me/0002.tif", "scans/0002.TIF"),
        ("page/x.xml", "0002.jpg", "scans/0002.TIF"),  # converted since
        ("page/0002.xml", "", "scans/0002.TIF"),
        ("page/0002.xml", "lost.jpg", "scans/0002.TIF"),
    ],
)
def test_where_images_are_found(root: Path, layout: str, name: str, found: str) -> None:
    assert PageImages(root).find(root / layout, name).resolve() == (root / found).resolve()


def test_nothing_outside_the_folder_is_named(root: Path) -> None:
    for name in ("../../secret.png", "../../etc/passwd", "/etc/passwd"):
        with pytest.raises(DataError, match=r"x\.xml: there is no image named '.*' in .* \(its path leads out of"):
            PageImages(root).find(root / "page" / "x.xml", name)


def test_names_that_no_file_can_have_are_found_by_the_stem(root: Path) -> None:
    for name in ("a" * 300 + ".jpg", "data:image/png;base64," + "A" * 5000, "nul\0.jpg"):
        assert PageImages(root).find(root / "page" / "0002.xml", name).name == "0002.TIF"


def test_names_as_macos_writes_them(root: Path) -> None:
    (root / unicodedata.normalize("NFD", "été.jpg")).touch()
    assert PageImages(root).find(root / "page" / "x.xml", "été.jpg").name == unicodedata.normalize("NFD", "été.jpg")


def test_a_name_that_is_not_text(root: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(root) + b"/\xff.png")).touch()
    except OSError:
        pytest.skip("this file system has only names that are text")
    with pytest.raises(DataError, match=r"the file name '\\udcff\.png' is not UTF-8"):
        list(find_files(root, (".png",)))


def test_no_image(root: Path) -> None:
    with pytest.raises(DataError, match=r"x\.xml: there is no image with the same name \(x\) in .*; put it there"):
        PageImages(root).find(root / "page" / "x.xml", "")


def test_two_that_fit_equally_well(root: Path) -> None:
    with pytest.raises(DataError, match=r"could be .*OCR-D-BIN.0003.png or .*OCR-D-IMG.0003.png"):
        PageImages(root).find(root / "page" / "0003.xml", "")


def test_links_to_folders_are_followed_but_not_in_circles(root: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "7.png").touch()
    (root / "linked").symlink_to(tmp_path / "far", target_is_directory=True)
    (root / "scans" / "circle").symlink_to(root, target_is_directory=True)
    names = [path.name for path in find_files(root, (".png",))]
    assert sorted(names) == ["0003.png", "0003.png", "7.png"]

import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from htr_lightning.data.sources.data_files import check_root
from htr_lightning.data.sources.manifest import read_manifest
from htr_lightning.image.decode import read_image
from htr_lightning.image.files import IMAGE_SUFFIXES, DataError
from htr_lightning.image.folder import FileFinder, search_folder, suggest
from htr_lightning.image.scan import find_images, find_scan_files
from htr_lightning.reading.page_jobs import find_layout


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_search_follows_links_once_and_names_what_it_passes_over(tmp_path: Path) -> None:
    root, far = tmp_path / "set", tmp_path / "far"
    touch(root, "B.PNG", "a.jfif", "sub/c.png", ".hidden/d.png", "._a.png", "e.heic", "f.pdf", "text.txt")
    touch(far, "g.png")
    (root / "far").symlink_to(far, target_is_directory=True)
    (root / "again").symlink_to(root / "sub", target_is_directory=True)
    (far / "back").symlink_to(root, target_is_directory=True)
    content = search_folder(root, IMAGE_SUFFIXES)
    names = [path.relative_to(root).as_posix() for path in content.files]
    assert sorted(names) == ["B.PNG", "a.jfif", "far/g.png", "sub/c.png"]
    passed = [path.relative_to(root).as_posix() for paths in content.passed_over.values() for path in paths]
    assert sorted(passed) == ["again", "e.heic", "f.pdf", "far/back"]
    told = "\n".join(content.describe_passed_over(root))
    assert "passed over e.heic: .heic is not read here; convert" in told and "--pages" in told


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    content = search_folder(tmp_path, IMAGE_SUFFIXES)
    assert not content.files and list(content.passed_over.values()) == [[tmp_path / "a.png"]]


@pytest.mark.parametrize("suffix", [suffix for suffix in IMAGE_SUFFIXES if suffix not in (".jpc", ".j2c")])
def test_every_suffix_is_one_that_is_decoded(suffix: str, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), "white").save(tmp_path / f"a{suffix.upper()}")
    (found,) = find_images([tmp_path])
    assert read_image(found).shape[:2] == (30, 40)


def test_all_commands_see_the_same_files(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.jpe", "b.J2K", "c.pbm", "d.tga")
    told: list[str] = []
    images = find_images([tmp_path], told.append)
    assert [path.name for path in images] == ["b.J2K", "c.pbm", "a.jpe"]
    assert [file for file, _ in find_scan_files([tmp_path], told.append)] == images
    assert len(told) == 2 and all(".tga is not read here" in sentence for sentence in told)


def test_a_folder_without_images_says_what_it_has(tmp_path: Path) -> None:
    touch(tmp_path, "a.heic")
    for find in (find_images, find_scan_files):
        with pytest.raises(DataError, match=r"passed over a\.heic"):
            find([tmp_path])  # type: ignore[operator]


def test_files_are_found_in_other_spellings(tmp_path: Path) -> None:
    nfd = unicodedata.normalize("NFD", "\u00e9t\u00e9")
    touch(tmp_path, f"{nfd}/A.Png", "two/b.png", "two/B.png")
    finder = FileFinder()
    assert finder.find(tmp_path, "\u00c9T\u00c9/a.PNG") == tmp_path / nfd / "A.Png"
    assert finder.find(tmp_path, "two/B.png") == tmp_path / "two" / "B.png"
    for name in ("two/c.png", "three/b.png", "", "x" * 300, "two/nul\0.png"):
        assert finder.find(tmp_path, name) is None
    if len(list((tmp_path / "two").iterdir())) == 2:
        assert finder.find(tmp_path / "TWO", "b.PNG") is None, "which of the two is meant?"


def test_layouts_in_other_spellings(tmp_path: Path) -> None:
    touch(tmp_path, "Scan1.TIF", "ALTO/scan1.XML", "scan2.tif")
    (tmp_path / "ALTO" / "scan1.XML").write_text("<alto/>")
    assert find_layout(tmp_path / "Scan1.TIF") == tmp_path / "ALTO" / "scan1.XML"
    assert find_layout(tmp_path / "scan2.tif") is None


def test_a_missing_file_is_answered_with_the_nearest(tmp_path: Path) -> None:
    touch(tmp_path, "letter_1.png", "words.tsv")
    for find in (find_images, find_scan_files):
        told: list[str] = []
        find([tmp_path / "leter_1.png", tmp_path / "letter_1.png", tmp_path / "nothing.tif"], told.append)
        assert told == [f"{tmp_path / 'leter_1.png'}: there is no such file; did you mean {tmp_path / 'letter_1.png'}?"]
    with pytest.raises(DataError, match=r"did you mean .*words\.tsv\? check the path of the manifest"):
        read_manifest(tmp_path / "Word.tsv")
    with pytest.raises(DataError, match=r"dataset\.root=.*: there is no such folder; did you mean .*set\? set it"):
        (tmp_path / "set").mkdir()
        check_root(tmp_path / "sets", "your lines")
    assert suggest(tmp_path / "no" / "folder") == ""

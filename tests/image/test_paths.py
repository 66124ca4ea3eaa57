"""Tests of lists of very many paths."""

import os
import tracemalloc
from pathlib import Path

import pytest

from htr_lightning.image.folder import FileFinder
from htr_lightning.image.paths import PathPairs, Paths
from htr_lightning.image.scan import find_scan_files


def test_paths_are_those_that_were_added_in_the_order_of_pathlib() -> None:
    names = ["b/a.png", "b.png", "b/a/c.png", "a.png", "b-1/x.png", "é/ü.png", "B.png"]
    expected = [Path(name) for name in names]
    paths = Paths(names)
    paths.append(Path("b") / "a b.png")
    expected.append(Path("b/a b.png"))
    assert list(paths) == expected and len(paths) == 8
    assert paths[-1] == expected[-1] and list(paths[2:8:3]) == expected[2:8:3] and not Paths()
    paths.sort()
    assert list(paths) == sorted(expected)


def test_pairs_of_paths() -> None:
    pairs = [(Path("a/1.png"), Path("1.png")), (Path("a/b/2.png"), Path("b/2.png")), (Path("3.png"), Path("3.png"))]
    found = PathPairs(pairs[:1])
    found.extend(pairs[1:])
    assert found.strings == ([str(first) for first, _ in pairs], [str(second) for _, second in pairs])
    assert list(PathPairs(found)) == pairs
    assert list(found) == pairs and found[-1] == pairs[-1] and list(found[1:]) == pairs[1:] and len(found[1:]) == 2


@pytest.mark.parametrize("kind", [Paths, list])
def test_many_paths_take_little_memory(kind: type) -> None:
    name = "scans/000001.png"
    kept = Path(name)  # so that Python's table of names does not grow meanwhile
    tracemalloc.start()
    paths = kind(Path(name) for _ in range(2000))
    size = tracemalloc.get_traced_memory()[0] / len(paths)
    tracemalloc.stop()
    assert (size < 150) == (kind is Paths) and paths[0] == kept  # bytes


def test_scans_come_in_the_order_of_their_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["a.png", "a/b.png", "a/b/c.png", "a-1.png", "b.overlay.jpg", "b.jpg"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    expected = sorted(tmp_path / name for name in names if "overlay" not in name)
    assert list(find_scan_files([tmp_path])) == [(path, path.relative_to(tmp_path)) for path in expected]
    monkeypatch.chdir(tmp_path)  # the spelling is that of pathlib
    assert find_scan_files([Path()]).strings == ([str(path.relative_to(tmp_path)) for path in expected],) * 2
    assert find_scan_files([Path("a")]).strings[1] == [f"b{os.sep}c.png", "b.png"]


def test_whether_a_folder_has_layouts_is_found_without_keeping_its_names(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "1.XML").touch()
    for number in range(500):
        (tmp_path / f"{number:0200d}.png").touch()
    finder = FileFinder()
    tracemalloc.start()
    assert not finder.has_suffix(tmp_path, ".xml", ["alto"])
    assert not finder.has_suffix(tmp_path, ".xml", ["page"])  # asked before, and not again
    assert FileFinder().has_suffix(tmp_path, ".xml", ["Page"])
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert size < 100 * 500
    assert finder.has_suffix(tmp_path / "PAGE", ".xml") and not finder.has_suffix(tmp_path / "none", ".xml")

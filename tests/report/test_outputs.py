"""No output destroys what is read, nor what something else made."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from htr_lightning.files import OutputError
from htr_lightning.report.outputs import ARPA, MODEL, ONNX, PICTURE, REPORT, Output, check_outputs, json_kind, mark_png


def _link(path: Path) -> Path:
    other = path.with_name("link.txt")
    other.symlink_to(path)
    return other


def _hard_link(path: Path) -> Path:
    other = path.with_name("hard.txt")
    os.link(path, other)
    return other


def _roundabout(path: Path) -> Path:
    (path.parent / "sub").mkdir()
    return path.parent / "sub" / ".." / path.name


def _through_linked_folder(path: Path) -> Path:
    (path.parent.parent / "door").symlink_to(path.parent, target_is_directory=True)
    return path.parent.parent / "door" / path.name


@pytest.mark.parametrize("rename", [Path, _link, _hard_link, _roundabout, _through_linked_folder])
@pytest.mark.parametrize("in_folder", [False, True])
def test_an_input_is_refused_whatever_it_is_called(
    rename: Callable[[Path], Path], in_folder: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "words.txt").write_text("mot\n")
    inputs = [folder if in_folder else folder / "words.txt"]
    with pytest.raises(OutputError, match="is read, and would be overwritten") as refused:
        check_outputs([Output(rename(folder / "words.txt"))], inputs, overwrite=True)
    assert (refused.value.key, refused.value.kind) == ("--out", "conflict")
    check_outputs([Output(folder / "new.txt")], inputs)


def test_letter_case_counts_where_the_file_system_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    is_same = (tmp_path / "A.TXT").exists()
    try:
        check_outputs([Output(tmp_path / "A.TXT")], [tmp_path / "a.txt"], overwrite=True)
    except OutputError:
        assert is_same
    else:
        assert not is_same


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "out.txt").write_text("mine")
    with pytest.raises(OutputError, match="is read"):
        check_outputs([Output(tmp_path / "out.txt")], [tmp_path / "a"])


@pytest.mark.parametrize(
    ("name", "kind", "ours"),
    [
        ("r.html", REPORT, b'<!doctype html>\n<html>\n<meta name="generator" content="htr_lightning 1.0">'),
        ("m.safetensors", MODEL, b'\x40\0\0\0\0\0\0\0{"__metadata__":{"htr_lightning":"{}"}}'),
        ("m.onnx", ONNX, b"\x08\x08\x12\x0dhtr_lightning"),
        ("m.arpa", ARPA, b"\n\\data\\\nngram 1=3\n"),
        ("m.arpa.gz", ARPA, gzip.compress(b"\\data\\\nngram 1=3\n", mtime=0)),
        ("r.json", json_kind("greedy"), b'{\n  "greedy": 0.5}'),
    ],
)
def test_only_files_of_the_same_kind_are_replaced(name: str, kind: object, ours: bytes, tmp_path: Path) -> None:
    output = Output(tmp_path / name, kind)  # type: ignore[arg-type]
    check_outputs([output], [])
    for content in (b"", ours):
        output.path.write_bytes(content)
        check_outputs([output], [])
    packed = gzip.compress(b"mot", mtime=0)[:9]
    for content in (b"\0", b"mot\n", b'{"a": 1}', b"<html>", packed, b"\x20\0\0\0\0\0\0\0{}"):
        output.path.write_bytes(content)
        with pytest.raises(OutputError, match=r"exists.*--overwrite") as refused:
            check_outputs([output], [])
        assert refused.value.kind == "exists"
        check_outputs([output], [], overwrite=True)


def test_pictures_are_told_apart(tmp_path: Path) -> None:
    output = Output(tmp_path / "a.png", PICTURE)
    Image.new("L", (9, 9)).save(output.path, pnginfo=mark_png())
    check_outputs([output], [])
    Image.new("L", (9, 9)).save(output.path)
    with pytest.raises(OutputError, match="exists"):
        check_outputs([output], [])


def test_two_results_in_one_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"--visualize.*--out .*same file"):
        check_outputs([Output(tmp_path / "a"), Output(tmp_path / "a", key="--visualize")], [], overwrite=True)


def test_devices_are_never_replaced() -> None:
    if not Path("/dev/null").is_char_device():
        pytest.skip("this system has no /dev/null")
    with pytest.raises(OutputError, match="device"):
        check_outputs([Output(Path("/dev/null"))], [], overwrite=True)

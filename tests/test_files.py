import json
from pathlib import Path

import pytest

from htr_lightning.files import OutputError, atomic_write, check_writable, report_write_errors, write_json


def test_a_failed_write_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"é": 1})
    with pytest.raises(RuntimeError), atomic_write(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text(encoding="utf-8") == '{\n  "é": 1\n}\n'
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_appears_at_the_end_only(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with atomic_write(path) as file:
        file.write(b"content")
        assert not path.exists()
    assert path.read_bytes() == b"content"


def test_what_can_be_written_is_left_alone(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "folder", "--out")
    check_writable(tmp_path / "new.json", "--out", is_file=True)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, is_file, problem in (
        (tmp_path / "file" / "folder", False, f"cannot be written (Not a directory: {tmp_path / 'file'})"),
        (tmp_path / "file", False, "cannot be written (Not a directory)"),
        (tmp_path / "none" / "x.json", True, f"cannot be written (No such file or directory: {tmp_path / 'none'})"),
        (tmp_path, True, "is a folder"),
        (tmp_path / ("x" * 300), False, f"cannot be written (File name too long: {tmp_path})"),
        (tmp_path / ("x" * 300) / "y", False, f"cannot be written (File name too long: {tmp_path})"),
    ):
        with pytest.raises(OutputError) as refused:
            check_writable(path, "--out", is_file=is_file)
        remedy = f"choose another {'file' if is_file else 'folder'}"
        assert str(refused.value) == f"--out {path}: {problem}; {remedy}"
    message = r"^hydra\.run\.dir=.*: cannot be written \(Disk full\); "
    with pytest.raises(OutputError, match=message), report_write_errors(tmp_path, "hydra.run.dir"):
        raise OSError(28, "Disk full")


def test_json_has_no_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": [float("nan"), (1.5, float("-inf"))], "b": {"c": float("inf"), "d": "NaN"}})
    assert json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail) == {
        "a": [None, [1.5, None]],
        "b": {"c": None, "d": "NaN"},
    }

from pathlib import Path

import pytest

from htr_lightning.files import replacing, write_json


def test_a_failed_write_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"é": 1})
    with pytest.raises(RuntimeError), replacing(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text(encoding="utf-8") == '{\n  "é": 1\n}\n'
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_appears_at_the_end_only(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with replacing(path) as file:
        file.write(b"content")
        assert not path.exists()
    assert path.read_bytes() == b"content"

"""Files of line datasets."""

from pathlib import Path

import pytest

from htr_lightning.image.files import DataError

TABLE = "image\ttext\twriter\na/1.png\tun  chat\tw1\na/2.png\tdeux\tw2\n"


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(call) -> str:
    with pytest.raises(DataError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


def text_files(root: Path, *names: str) -> None:
    for name in names:
        write(root / f"{name}.gt.txt", f"text of {name}\n")
        write(root / f"{name}.png", b"")

"""Remote storage to test with: fsspec's memory."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from htr_lightning.cli import predict, segment


class Bucket:
    """Files at ``memory://bucket``."""

    url = "memory://bucket"

    def __init__(self) -> None:
        import fsspec

        self.fs: Any = fsspec.filesystem("memory")

    def put(self, name: str, content: bytes | Path) -> None:
        self.fs.pipe_file(f"/bucket/{name}", content.read_bytes() if isinstance(content, Path) else content)

    def put_folder(self, folder: Path, name: str) -> None:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            self.put(f"{name}/{path.relative_to(folder).as_posix()}", path)

    def get(self, name: str) -> bytes:
        content: bytes = self.fs.cat_file(f"/bucket/{name}")
        return content

    def list(self, folder: str) -> dict[str, bytes]:
        """Return the files of a folder, but for those in hidden folders."""
        found = self.fs.find(f"/bucket/{folder}")
        names = [path.removeprefix(f"/bucket/{folder}/") for path in found]
        return {name: self.get(f"{folder}/{name}") for name in names if not name.startswith(".")}

    def journal(self, folder: str) -> str:
        return "".join(
            self.fs.cat_file(path).decode()
            for path in sorted(self.fs.find(f"/bucket/{folder}/.htr_lightning"))
            if path.endswith(".jsonl")
        )


@pytest.fixture
def bucket(needs: Any) -> Iterator[Bucket]:
    needs("fsspec")
    bucket = Bucket()
    bucket.fs.store.clear()
    bucket.fs.pseudo_dirs[:] = [""]
    yield bucket
    bucket.fs.store.clear()
    bucket.fs.pseudo_dirs[:] = [""]


def list_local(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, but for those in hidden folders."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in paths.items() if not name.startswith(".")}


def drop_times(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return files without the times in them."""
    return {name: re.sub(rb"20\d\d-\d\d-\d\dT[\d:.+]+Z?", b"TIME", content) for name, content in files.items()}


@pytest.fixture
def run_command(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run ``predict`` or ``segment`` with the segmenter that has no weights; returns status and messages."""

    def run(command: str, *arguments: object) -> tuple[int, str]:
        capsys.readouterr()
        code: Any = 0
        model = ["zoo:latin"] if command == "predict" else []
        main = predict.main if command == "predict" else segment.main
        try:
            main([*model, *map(str, arguments), "--finder", "classical"])
        except SystemExit as error:
            code = error.code
        out, err = capsys.readouterr()
        return (1, out + err + code) if isinstance(code, str) else (int(code or 0), out + err)

    return run

"""Pages and the command that reads them, as fixtures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from helpers.drawn_pages import small_page
from htr_lightning.cli import predict

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(2):
        Image.fromarray(small_page(seed=number).pixels).save(folder / f"p{number}.png")
    return folder


@pytest.fixture
def read_scans(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``predict`` with the segmenter that has no weights, unless the arguments name another finder."""

    def read(*arguments: object) -> tuple[int, str, str]:
        code: Any = 0
        try:
            predict.main(["zoo:latin", "--finder", "classical", *map(str, arguments)])
        except SystemExit as error:
            code = error.code
        out, err = capsys.readouterr()
        if isinstance(code, str):
            code, err = 1, err + code
        return int(code or 0), out, err

    return read

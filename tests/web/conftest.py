"""A project that is served to a test client."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.correction_server import make_client, open_workspace
from starlette.testclient import TestClient

from htr_lightning.correction.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with open_workspace(tmp_path / "scans") as opened:
        yield opened


@pytest.fixture
def client(workspace: Workspace) -> TestClient:
    return make_client(workspace)

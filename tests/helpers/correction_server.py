"""The correction page, served to a test client that behaves like a browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.testclient import TestClient

from helpers.projects import draw_page, put_lines
from htr_lightning.correction.workspace import Workspace
from htr_lightning.web.app import build_app

PORT = 8017
TOKEN = "0123456789abcdef" * 2
ORIGIN = {"origin": f"http://127.0.0.1:{PORT}"}


@contextmanager
def open_workspace(folder: Path, *, pages: int = 2, lines: int = 4) -> Iterator[Workspace]:
    """Open a project whose lines are found and read; nothing runs in the background."""
    drawn = [draw_page(folder, f"page {number}.png", lines=lines, seed=number) for number in range(1, pages + 1)]
    workspace = Workspace(folder, "zoo:latin")
    try:
        for key, page in zip(list(workspace.project.pages), drawn, strict=False):
            put_lines(workspace.project, key, page)
        yield workspace
    finally:
        workspace.close()


def make_client(workspace: Workspace, *, has_token: bool = True) -> TestClient:
    """Return a client of the server of a project, with or without its cookie."""
    client = TestClient(build_app(workspace, TOKEN, PORT), f"http://127.0.0.1:{PORT}", headers=ORIGIN)
    if has_token:
        assert client.get(f"/?token={TOKEN}").status_code == 200
    return client

"""The server of one project: it listens on this machine only."""

import contextlib
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import uvicorn

from htr_lightning.correction.workspace import Workspace
from htr_lightning.errors import InputError
from htr_lightning.files import report_write_errors, write_json
from htr_lightning.web.app import build_app
from htr_lightning.web.safety import make_token

HOST = "127.0.0.1"


class PortError(InputError):
    """A port that cannot be used."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server answers.

    Attributes:
        port: that it listens on.
        token: that requests must have.
    """

    port: int
    token: str

    @property
    def url(self) -> str:
        """The address to open."""
        return f"http://{HOST}:{self.port}/?token={self.token}"


def open_socket(port: int) -> socket.socket:
    """Open a socket that only this machine reaches.

    Args:
        port: 0 for any that is free.

    Raises:
        PortError: the port is in use or reserved.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
        opened.listen(64)
    except (OSError, OverflowError) as error:
        opened.close()
        reason = getattr(error, "strerror", "") or str(error)
        remedy = "choose another, or leave it out for one that is free"
        raise PortError(f"the port cannot be used ({reason})", key="--port", value=port, remedy=remedy) from None
    return opened


def serve(workspace: Workspace, opened: socket.socket, *, report: Callable[[str], None], browser: bool) -> None:
    """Serve a project until the process is interrupted.

    Args:
        workspace: of the project.
        opened: from `open_socket`.
        report: called with the address.
        browser: open the address in the browser.
    """
    with _prepare(workspace, opened) as (server, address):
        report(address.url)
        if browser:
            threading.Timer(0.3, webbrowser.open, [address.url]).start()
        server.run(sockets=[opened])


@contextlib.contextmanager
def serve_in_thread(workspace: Workspace) -> Iterator[Address]:
    """Serve a project while the block runs, at a free port; for tests and notebooks."""
    opened = open_socket(0)
    with _prepare(workspace, opened) as (server, address):
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
        thread.start()
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def _prepare(workspace: Workspace, opened: socket.socket) -> Iterator[tuple[uvicorn.Server, Address]]:
    port = opened.getsockname()[1]
    address = Address(port, make_token())
    note = workspace.project.state / "server.json"
    with report_write_errors(note, is_file=True):
        write_json(note, {"address": f"http://{HOST}:{port}/"})
    app = build_app(workspace, address.token, port)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=2, lifespan="off"
    )
    try:
        yield uvicorn.Server(config), address
    finally:
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)
        opened.close()

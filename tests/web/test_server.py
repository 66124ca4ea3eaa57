"""The server and the command."""

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from helpers.projects import draw_page

from htr_lightning.cli import correct
from htr_lightning.web.server import PortError, open_socket


def start(folder: Path, *more: str) -> tuple[subprocess.Popen[str], str]:
    """Start the command, and return it with the address that it prints."""
    command = [
        sys.executable,
        "-m",
        "htr_lightning",
        "correct",
        str(folder),
        "--model",
        "zoo:latin",
        "--no-browser",
        *more,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    address = process.stdout.readline().strip()
    if not address:
        process.wait()
        return process, process.stderr.read()
    return process, address


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    process.communicate()


def test_the_command_serves_the_page_until_it_is_interrupted(tmp_path: Path) -> None:
    draw_page(tmp_path / "scans", "a.png")
    process, address = start(tmp_path / "scans")
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    assert b"a.png" in opener.open(address).read()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(address.split("?")[0])
    assert caught.value.code == 403
    caught.value.close()
    note = json.loads((tmp_path / "scans" / ".htr" / "server.json").read_text())
    assert address.startswith(note["address"]) and "token" not in note["address"]
    second, problem = start(tmp_path / "scans")
    assert second.returncode == 1
    assert note["address"] in problem
    second.communicate()
    stop(process)
    assert process.returncode in (0, 130)
    assert not (tmp_path / "scans" / ".htr" / "server.json").exists()


def test_a_port_in_use_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortError) as caught:
            open_socket(port)
        assert (caught.value.key, caught.value.value) == ("--port", port)
        draw_page(tmp_path / "scans", "a.png")
        with pytest.raises(SystemExit) as ended:
            correct.main([str(tmp_path / "scans"), "--port", str(port), "--no-browser"])
        assert f"--port {port}" in str(ended.value)
    with pytest.raises(PortError):
        open_socket(70000)


@pytest.mark.parametrize(("argument", "value"), [("--model", "zoo:nothing"), ("--model", "missing.safetensors")])
def test_a_wrong_model_is_told_before_anything_is_served(tmp_path: Path, argument: str, value: str) -> None:
    draw_page(tmp_path / "scans", "a.png")
    with pytest.raises(SystemExit) as ended:
        correct.main([str(tmp_path / "scans"), argument, value, "--no-browser"])
    assert value.removeprefix("zoo:") in str(ended.value)
    assert not (tmp_path / "scans" / ".htr").exists()


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        correct.main([str(tmp_path), "--no-browser"])
    assert str(tmp_path) in str(ended.value)


def test_without_the_extra_the_command_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        correct.main([str(tmp_path)])
    assert ended.value.code == 2


def test_the_socket_is_of_this_machine_only() -> None:
    with open_socket(0) as opened:
        assert opened.getsockname()[0] == "127.0.0.1"

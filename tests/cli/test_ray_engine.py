"""Many pages with Ray: the same results as one process, resumed, with an index and a status."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from htr_lightning.cli import predict
from htr_lightning.reading import ray_pages

FORMATS = ["--format", "txt,json", "--finder", "classical"]


@pytest.fixture
def read(scans: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str, object]]:
    """Return a function that runs ``predict`` on the scans, and returns what it prints and its exit status."""

    def call(out: Path, *options: str) -> tuple[str, str, object]:
        capsys.readouterr()
        code: object = 0
        try:
            predict.main(["zoo:latin", str(scans), "--out", str(out), *FORMATS, *options])
        except SystemExit as stopped:
            code = stopped.code
        return *capsys.readouterr(), code

    return call


def list_results(out: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in out.glob("[!.]*") if path.suffix in (".txt", ".json")}


def test_ray_reads_like_one_process(
    read: Callable[..., tuple[str, str, object]], scans: Path, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs("ray")
    (scans / "cut.png").write_bytes(b"not a picture")
    alone, many = tmp_path / "alone", tmp_path / "many"
    assert read(alone)[2] == 1
    _, reported, code = read(many, "--engine", "ray", "--workers", "1")
    assert code == 1 and "2 pages with 8 lines read; 1 problem" in reported and "cut.png" in reported
    ours, theirs = (list_results(out) for out in (many, alone))
    assert "cut.png" in json.loads(ours.pop("cut.error.json"))["problem"] and theirs.pop("cut.error.json")
    assert ours == theirs and ours.keys() == {f"p{n}.{suffix}" for n in range(2) for suffix in ("txt", "json")}
    rows = pq.read_table(many / "index.parquet").to_pylist()
    assert {row["page"]: row["status"] for row in rows} == {"p0": "read", "p1": "read", "cut": "failed"}

    (scans / "cut.png").unlink()
    _, reported, code = read(many, "--engine", "ray")  # nothing is left, so that no worker starts
    assert code == 0 and "0 pages with 0 lines read; 2 pages skipped" in reported


def test_status_and_other_settings(read: Callable[..., tuple[str, str, object]], scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert read(out, "--shard", "1/2", "--index")[2] == 0
    assert (out / "index.parquet").is_file()
    assert read(out, "--status")[0].startswith("2 pages: 1 read, 0 failed, 1 left\n")
    _, reported, code = read(out, "--precision", "fp32", "--tta")
    assert code != 0 and "--tta not given, now True" in f"{reported}{code}"
    assert read(out, "--status")[0].startswith("2 pages: 1 read")
    assert read(out)[2] == 0 and read(out, "--status")[0].strip() == "2 pages: 2 read, 0 failed, 0 left"
    (out / "p0.txt").unlink()
    (scans / "p1.png").write_bytes((scans / "p0.png").read_bytes())
    assert read(out, "--status")[0].startswith("2 pages: 0 read, 0 failed, 1 left, 1 changed since")
    assert "2 pages with" in read(out)[1] and (out / "p1.txt").read_text() == (out / "p0.txt").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workers", "2"], "--workers: only for --engine ray"),
        (["--engine", "ray", "--workers", "0"], "'0' is not a whole number"),
        (["--engine", "ray", "--address", "nowhere"], "--address nowhere: there is no such Ray cluster"),
        (["--engine", "ray", "--address", "127.0.0.1:9"], "--address 127.0.0.1:9: there is no such Ray cluster"),
    ],
)
def test_wrong_options(
    read: Callable[..., tuple[str, str, object]],
    tmp_path: Path,
    options: list[str],
    words: str,
    needs: Callable[[str], None],
) -> None:
    needs("ray")
    _, reported, code = read(tmp_path / "out", *options)
    assert code != 0 and words in f"{reported}{code}"


def test_what_one_process_refuses_is_refused(
    read: Callable[..., tuple[str, str, object]],
    scans: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    needs: Callable[[str], None],
) -> None:
    needs("ray")
    monkeypatch.setattr(ray_pages, "_CHUNK", 1)
    (tmp_path / "none").mkdir()
    _, reported, code = read(tmp_path / "out", "--engine", "ray", "--layouts", str(tmp_path / "none"))
    assert code != 0 and "there is no ALTO or PAGE file of any of the pages" in f"{reported}{code}"
    (scans / "p0.jpg").write_bytes((scans / "p0.png").read_bytes())
    _, reported, code = read(tmp_path / "out", "--engine", "ray")
    assert code != 0 and "and another scan would both be written to" in f"{reported}{code}"
    assert not (tmp_path / "out").exists()

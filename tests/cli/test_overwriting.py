"""No command writes over a file that it reads, nor, without ``--overwrite``, over one that something else made."""

import importlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PAGE = """<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"><Page imageFilename="a.png"
imageWidth="300" imageHeight="60"><TextRegion id="r"><Coords points="0,0 299,0 299,59 0,59"/><TextLine id="l">
<Coords points="5,5 290,5 290,55 5,55"/><Baseline points="5,50 290,50"/></TextLine></TextRegion></Page></PcGts>"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with inputs of every kind, which is the current one."""
    dots = np.random.default_rng(0).integers(0, 255, (60, 300)).astype(np.uint8)
    Image.fromarray(dots).save(tmp_path / "a.png")
    for name in ("lines.tsv", "test.tsv", "result.jsonl"):
        (tmp_path / name).write_text("image\ttext\na.png\tun mot\n")
    (tmp_path / "result.jsonl").write_text('{"image": "a.png", "text": "un mot"}\n')
    (tmp_path / "words.txt").write_text("mot\n")
    (tmp_path / "layouts").mkdir()
    (tmp_path / "layouts" / "a.xml").write_text(PAGE)
    (tmp_path / "m.arpa").write_text("\\data\\\nngram 1=3\n\n\\1-grams:\n-1\t<s>\n-1\t</s>\n-1\ta\n\n\\end\\\n")
    zoo = Path(importlib.import_module("htr_lightning").__file__ or "").parent / "zoo"
    shutil.copy(zoo / "latin.safetensors", tmp_path / "m.safetensors")
    os.link(tmp_path / "a.png", tmp_path / "hard.png")
    (tmp_path / "soft.tsv").symlink_to("lines.tsv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _contents(folder: Path) -> Mapping[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _run(command: str, arguments: Sequence[str]) -> str:
    module = importlib.import_module(f"htr_lightning.cli.{command}")
    with pytest.raises(SystemExit) as end:
        module.main(list(arguments))
    return str(end.value)


@pytest.mark.parametrize(
    "line",
    [
        "predict zoo:latin a.png --lines --out a.png",
        "predict zoo:latin a.png --lines --out hard.png",
        "predict zoo:latin . --lines --out hard.png",
        "predict zoo:latin a.png --lines --visualize a.png",
        "predict zoo:latin a.png --lines --visualize hard.png",
        "predict zoo:latin a.png --lines --lexicon words.txt --out words.txt",
        "predict zoo:latin a.png --lines --lm m.arpa --out m.arpa",
        "predict m.safetensors a.png --lines --out m.safetensors",
        "predict zoo:latin --align lines.tsv --format tsv --out lines.tsv",
        "predict zoo:latin --align lines.tsv --format tsv --out soft.tsv",
        "predict zoo:latin --align lines.tsv --format json --out a.png",
        "predict zoo:latin a.png --lines --out same.png --visualize same.png",
        "evaluate zoo:latin --data lines.tsv --out .",
        "evaluate zoo:latin --data soft.tsv --out .",
        "calibrate m.safetensors --data lines.tsv --out m.safetensors",
        "calibrate zoo:latin --data lines.tsv --out lines.tsv",
        "calibrate zoo:latin --data lines.tsv --out hard.png",
        "tune_lm zoo:latin --lm m.arpa --data result.jsonl --out result.jsonl",
        "tune_lm zoo:latin --lm m.arpa --data lines.tsv --out m.arpa",
        "tune_lm zoo:latin --lm m.arpa --data lines.tsv --out hard.png",
        "train_lm lines.tsv --out lines.tsv",
        "train_lm lines.tsv words.txt --out soft.tsv",
        "train_lm lines.tsv --held-out words.txt --out words.txt",
        "export m.safetensors --out m.safetensors",
        "gallery layouts/a.xml --images . --out .",
        "extract . dataset=lines dataset.root=. --split test",
        "extract . dataset=lines dataset.root=. dataset.manifest=test.tsv --split test",
        "compare evaluation evaluation --out evaluation/lines.tsv",
    ],
)
def test_inputs_are_kept_even_with_overwrite(line: str, here: Path) -> None:
    (here / "evaluation").mkdir()
    shutil.copy(here / "lines.tsv", here / "evaluation" / "lines.tsv")
    command, *arguments = line.split()
    before = _contents(here)
    message = _run(command, [*arguments, "--overwrite"])
    assert "would be overwritten" in message or "same file" in message
    assert _contents(here) == before


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("predict zoo:latin a.png --lines --out notes.txt", "notes.txt"),
        ("predict zoo:latin a.png --lines --format tsv --out lines.tsv", "lines.tsv"),
        ("predict zoo:latin a.png --lines --visualize own.png", "own.png"),
        ("predict zoo:latin a.png --lines --character-crops crops", "crops/index.tsv"),
        ("evaluate zoo:latin --data lines.tsv --out out", "out/lines.tsv"),
        ("evaluate zoo:latin --data lines.tsv --out out", "out/confusions.png"),
        ("compare a b --out own.json", "own.json"),
        ("calibrate zoo:latin --data lines.tsv --out own.bin", "own.bin"),
        ("tune_lm zoo:latin --lm m.arpa --data lines.tsv --out own.json", "own.json"),
        ("train_lm words.txt --out notes.txt", "notes.txt"),
        ("export zoo:latin --out own.bin", "own.bin"),
        ("export zoo:latin --out own.onnx", "own.json"),
        ("gallery a.png --out out", "out/preprocessing.png"),
        ("extract out dataset=lines dataset.root=. --split test", "out/test.tsv"),
        ("extract out dataset=lines dataset.root=. --split test", "out/test/000000.png"),
    ],
)
def test_other_files_are_kept_without_overwrite(line: str, name: str, here: Path) -> None:
    (here / name).parent.mkdir(exist_ok=True, parents=True)
    (here / name).write_bytes(b"something of somebody")
    command, *arguments = line.split()
    before = _contents(here)
    message = _run(command, arguments)
    assert name.rpartition("/")[2] in message
    assert "--overwrite" in message
    assert _contents(here) == before


def test_doctor_keeps_other_reports(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "report.html").write_text("<html>mine</html>")
    assert _run("doctor", ["dataset=lines", "dataset.root=.", "--out", "."]) == "2"
    assert "report.html" in capsys.readouterr().err
    assert (here / "report.html").read_text() == "<html>mine</html>"


def test_earlier_results_are_replaced(here: Path) -> None:
    for module, line in (
        ("train_lm", "words.txt --order 2 --out own.arpa"),
        ("gallery", "a.png --out out"),
        ("export", "zoo:latin --out own.safetensors"),
    ):
        main = importlib.import_module(f"htr_lightning.cli.{module}").main
        main(line.split())
        main(line.split())


def test_overwrite_replaces(here: Path) -> None:
    (here / "own.bin").write_bytes(b"something of somebody")
    importlib.import_module("htr_lightning.cli.export").main(["zoo:latin", "--out", "own.bin", "--overwrite"])
    assert b'"htr_lightning"' in (here / "own.bin").read_bytes()[:200]

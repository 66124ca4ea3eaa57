"""ONNX files: written by `export`, and read with ONNX Runtime alone."""

import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.typesetting import typeset
from torch import nn

from htr_lightning.charset import Charset
from htr_lightning.cli import calibrate, evaluate, export, predict, tune_lm
from htr_lightning.cli import explain as explain
from htr_lightning.device import DeviceError, count_cores
from htr_lightning.evaluation import lm_weights
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model import onnx_model
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.file import Model, load_model, write_model
from htr_lightning.model.info import FORMAT_VERSION, METADATA_KEY, ModelFileError, ModelInfo
from htr_lightning.model.load import load_recognizer
from htr_lightning.model.network import Frames, get_class_path
from htr_lightning.model.onnx_export import ExportError, write_onnx
from htr_lightning.model.onnx_model import OnnxModel, read_onnx
from htr_lightning.training.stage import Finetune

onnx = pytest.importorskip("onnx")

RUN_ONNX = """
import re, sys
from pathlib import Path
import numpy as np
from htr_lightning.model.info import ModelFileError
from htr_lightning.model.onnx_model import read_onnx

try:
    read_onnx(Path(sys.argv[1]), "cpu").logits(np.full((1, 48, 64), 255, np.uint8))
except ModelFileError as error:
    print(error)
print(re.search(r"VmHWM:\\s*([0-9]+)", Path("/proc/self/status").read_text())[1])  # the peak in KiB
"""
TEXTS = ["dans la nuit", "le roi dit non", "bel ami", "et rit mal et bon ciel", "dada"]


@pytest.fixture
def lines(write_lines: Callable[[Sequence[str], str], Path]) -> Path:
    return write_lines(TEXTS, "val")


def pictures(number: int, width: int) -> np.ndarray:
    generator = np.random.default_rng(width)
    return np.where(generator.random((number, 48, width)) < 0.1, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("number", "width"), [(1, 32), (3, 64), (2, 800)])
def test_scores_are_those_of_the_model_at_any_width(latin: Model, latin_onnx: Path, number: int, width: int) -> None:
    images, written = pictures(number, width), load_recognizer(latin_onnx)
    there, here = latin.logits(images), written.logits(images)
    assert here.shape == there.shape and here.dtype == there.dtype == np.float32
    assert np.abs(here - there).max() < 1e-3
    widths = np.arange(1, 200)
    assert (written.frame_lengths(widths) == latin.frame_lengths(widths)).all()


def test_everything_known_of_the_model_is_in_the_file_and_beside_it(latin: Model, latin_onnx: Path) -> None:
    written = load_recognizer(latin_onnx)
    assert written.info == latin.info and written.charset == latin.charset and written.preprocess == latin.preprocess
    beside = json.loads(latin_onnx.with_suffix(".json").read_text(encoding="utf-8"))
    stored = {p.key: p.value for p in onnx.load(latin_onnx).metadata_props}
    assert beside == json.loads(stored[METADATA_KEY])
    assert beside["temperature"] == latin.info.temperature and beside["license"] == "CC-BY-SA-4.0"
    assert beside["onnx"]["frame_px"] == latin.frame_px == 4 and beside["onnx"]["weights"] == "float32"
    assert beside["charset"]["characters"] == list(latin.charset.characters)
    for said, tensor in (("input", "images: uint8 (N, 1, H, W)"), ("output", "logits: float32 (N, T, K)")):
        assert beside["onnx"][said].startswith(tensor)
    assert [p.name for p in sorted(latin_onnx.parent.iterdir())] == ["latin.json", "latin.onnx"]


def test_predict_and_evaluate_say_the_same_of_both(
    latin_onnx: Path, lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for model in (["zoo:latin", "--runtime", "torch"], [str(latin_onnx)]):
        predict.main([*model, str(lines / "val"), "--format", "json"])
        read = json.loads(capsys.readouterr().out)
        evaluate.main([*model, "--data", str(lines / "val.tsv"), "--out", str(tmp_path / "report")])
        said.append((read, json.loads(capsys.readouterr().out)))
    (torch_read, torch_scores), (onnx_read, onnx_scores) = said
    assert onnx_scores == pytest.approx(torch_scores, abs=1e-4)
    assert len(onnx_read) == len(TEXTS)
    for one, other in zip(torch_read, onnx_read, strict=True):
        assert one["text"] == other["text"] and one["confidence"] == pytest.approx(other["confidence"], abs=1e-3)
        boxes = [[c["box"] for c in read["characters"]] for read in (one, other)]
        assert np.array(boxes[0]) == pytest.approx(np.array(boxes[1]), abs=0.5)


def test_torch_is_not_imported(latin_onnx: Path, lines: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from htr_lightning.__main__ import main; main();"
        "print(*{'torch', 'torchmetrics', 'lightning', 'hydra', 'onnx'} & set(sys.modules), file=sys.stderr)"
    )
    (tmp_path / "words.txt").write_text(" ".join(TEXTS), encoding="utf-8")
    for arguments in (
        ["predict", str(latin_onnx), str(lines / "val" / "0.png")],
        [
            "predict",
            str(latin_onnx),
            str(lines / "val"),
            "--format",
            "json",
            "--lexicon",
            str(tmp_path / "words.txt"),
            "--visualize",
            str(tmp_path / "p.png"),
            "--character-crops",
            str(tmp_path / "cut"),
        ],
        ["evaluate", str(latin_onnx), "--data", str(lines / "val.tsv"), "--out", str(tmp_path / "report")],
    ):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        assert done.stdout and done.stderr.splitlines()[-1] == ""


def test_commands_that_only_read_take_it(
    latin_onnx: Path, lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from htr_lightning.cli import train_lm

    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    train_lm.main([str(tmp_path / "texts.txt"), "-o", str(tmp_path / "m.arpa"), "--order", "3"])
    monkeypatch.setattr(lm_weights, "LM_WEIGHTS", (0.5,))
    monkeypatch.setattr(lm_weights, "INSERTION_BONUSES", (1.0,))
    tune_lm.main([str(latin_onnx), "--data", str(lines / "val.tsv"), "--lm", str(tmp_path / "m.arpa")])
    assert "--lm-weight 0.5" in capsys.readouterr().out


def test_export_writes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export.main(["zoo:latin", "--format", "onnx", "--out", str(out), "--license", "CC0-1.0"])
    shown = capsys.readouterr().out
    assert shown.startswith(f"{out}: {out.stat().st_size / 1e6:.2f} MB; its logits differ from PyTorch")
    assert str(tmp_path / "model.json") in shown
    assert load_recognizer(out).info.license == "CC0-1.0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "onnx", "--out", "x.safetensors"], "the name of an ONNX file must end in .onnx"),
        (["--format", "safetensors", "--out", "x.onnx"], "--format onnx"),
        (["--out", "x.onnx", "--half"], "--half: only for safetensors"),
        (["--out", "x.safetensors", "--int8"], "--int8: only for ONNX"),
    ],
)
def test_options_that_do_not_go_together(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        export.main(["zoo:latin", *arguments])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_file_that_computes_something_else_is_not_written(
    latin: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = OnnxModel.logits
    monkeypatch.setattr(OnnxModel, "logits", lambda self, images: right(self, images) + 0.01)
    with pytest.raises(ExportError, match=r"model\.onnx: nothing was written, as its logits differ by 0\.01 from"):
        write_onnx(tmp_path / "model.onnx", latin)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"--out .*: cannot be written \(No such file"):
        export.main(["zoo:latin", "--out", str(tmp_path / "none" / "model.onnx")])


def test_without_the_packages(latin_onnx: Path, latin: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_model.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"latin\.onnx: .* is not installed; .*pip install 'htr-lightning\[onnx\]'$"):
        predict.main([str(latin_onnx), "x.png"])
    with pytest.raises(ModelFileError, match="zoo:latin: PyTorch is not installed"):
        load_recognizer("zoo:latin")
    with pytest.raises(ExportError, match=r"pip install 'htr-lightning\[export-onnx\]'$"):
        write_onnx(tmp_path / "model.onnx", latin)


def test_missing_and_damaged(latin_onnx: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"none\.onnx: there is no such model file"):
        load_recognizer(tmp_path / "none.onnx")
    content = latin_onnx.read_bytes()
    for name, damaged in (("empty", b""), ("half", content[: len(content) // 2]), ("text", b"hello there")):
        (tmp_path / f"{name}.onnx").write_bytes(damaged)
        with pytest.raises(ModelFileError, match=rf"{name}\.onnx: not a complete ONNX file \(.*again$") as raised:
            load_recognizer(tmp_path / f"{name}.onnx")
        assert "\n" not in str(raised.value)


def described(latin_onnx: Path, path: Path, change: Callable[[dict[str, Any]], str | None]) -> Path:
    """Write a file with another description: what a function makes of it, or none."""
    network = onnx.load(latin_onnx)
    (stored,) = network.metadata_props
    text = change(json.loads(stored.value))
    del network.metadata_props[:]
    if text is not None:
        onnx.helper.set_model_props(network, {METADATA_KEY: text})
    onnx.save(network, path)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: None, "an ONNX file, but not a model of htr_lightning; .*export MODEL --format onnx"),
        (
            lambda d: json.dumps(d | {"format": FORMAT_VERSION + 1, "new": 1}),
            f"model format {FORMAT_VERSION + 1}.*upgrade",
        ),
        (lambda d: "{", "its metadata is damaged; copy or download it again"),
        (lambda d: json.dumps({k: v for k, v in d.items() if k != "onnx"}), "its metadata is damaged"),
        (lambda d: json.dumps(d | {"nonsense": 1}), "its metadata is damaged"),
        (lambda d: json.dumps(d | {"charset": {}}), "its metadata is damaged"),
        (lambda d: json.dumps(d | {"width_step_px": 10**9}), "its metadata is damaged"),
        (lambda d: json.dumps(d | {"onnx": d["onnx"] | {"frame_px": 0}}), "its metadata is damaged"),
    ],
)
def test_a_file_that_is_not_ours_or_not_of_today(
    change: Callable[[dict[str, Any]], str | None], message: str, latin_onnx: Path, tmp_path: Path
) -> None:
    path = described(latin_onnx, tmp_path / "other.onnx", change)
    with pytest.raises(ModelFileError, match=rf"other\.onnx: {message}"):
        load_recognizer(path)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/self/status")
def test_a_small_file_that_asks_for_all_memory_is_refused(latin_onnx: Path, tmp_path: Path) -> None:
    network = onnx.load(latin_onnx)
    make, tensor = onnx.helper.make_node, onnx.numpy_helper.from_array
    output = network.graph.output[0].name
    last = next(node for node in network.graph.node if output in node.output)
    last.output[list(last.output).index(output)] = "before"
    network.graph.node.extend(
        [
            make("Constant", [], ["shape"], value=tensor(np.array([2_000_000_000 * count_cores()], np.int64))),
            make("ConstantOfShape", ["shape"], ["zeros"], value=tensor(np.zeros(1, np.float32))),
            make("ReduceMax", ["zeros"], ["zero"], keepdims=0),
            make("Add", ["before", "zero"], [output]),
        ]
    )
    onnx.save(network, tmp_path / "large.onnx")
    done = subprocess.run(
        [sys.executable, "-c", RUN_ONNX, str(tmp_path / "large.onnx")], capture_output=True, text=True, check=True
    )
    message, peak = done.stdout.splitlines()
    assert "large.onnx: it needs more than" in message and int(peak) < 1_000_000, done.stdout


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda", "--device cuda: not available here, as this ONNX Runtime was built without CUDA; use cpu"),
        ("cuda:1", "--device cuda:1: not available here"),
        ("mps", "--device mps: not available for ONNX files; use cpu"),
    ],
)
def test_devices_that_are_not_there(
    device: str, message: str, latin_onnx: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match=message):
        read_onnx(latin_onnx, device)
    with pytest.raises(SystemExit):
        predict.main([str(latin_onnx), "x.png", "--device", device])
    assert message in capsys.readouterr().err


def test_what_needs_the_model_itself_says_so(latin_onnx: Path, lines: Path, tmp_path: Path) -> None:
    typeset("a").save(tmp_path / "a.png")
    message = r"latin\.onnx: an ONNX file can only be used for inference"
    for call in (
        lambda: explain.main([str(latin_onnx), str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]),
        lambda: calibrate.main([str(latin_onnx), "--data", str(lines / "val.tsv")]),
        lambda: export.main([str(latin_onnx), "--out", str(tmp_path / "again.onnx")]),
    ):
        with pytest.raises(SystemExit, match=message):
            call()
    with pytest.raises(ModelFileError, match=message):
        Finetune(start_from=str(latin_onnx)).load(None)


def test_other_networks_are_exported_too(tmp_path: Path) -> None:
    charset = Charset.from_texts(["abc"])
    network = CRNN(
        charset.num_classes,
        height_px=21,
        channels=[8, 8],
        blocks=[1, 1],
        strides=[[3, 3], [2, 1]],
        rnn_size=8,
        rnn_layers=1,
        downsample="max_pool",
    ).eval()
    info = ModelInfo(get_class_path(CRNN), network.arguments, charset.to_dict(), Preprocess(height_px=21).to_dict(), 7)
    model = Model(network, charset, Preprocess(height_px=21), info)
    write_onnx(tmp_path / "small.onnx", model)
    written = read_onnx(tmp_path / "small.onnx")
    for width in (7, 14, 91):
        images = pictures(2, width)[:, :21].copy()
        here, there = written.logits(images), model.logits(images)
        assert np.abs(here - there).max() < 1e-4 and here.shape[1] == written.frame_lengths(np.array([width]))[0]
    write_model(tmp_path / "again.safetensors", network.state_dict(), replace(written.info, temperature=2.0))
    assert load_model(tmp_path / "again.safetensors").info.temperature == 2.0


class Attention(nn.Module):
    """A network whose layers run fused operators when they do not train."""

    heads, height_px, frame_px = ("head",), 8, 4

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {}
        self.body = nn.Conv2d(1, 8, (8, 4), stride=4)
        self.layers = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, num_classes)

    def blocks(self) -> list[str]:
        return ["layers", "body"]

    def frame_lengths(self, widths: torch.Tensor) -> torch.Tensor:
        return -(-widths // 4)

    def forward(self, images: torch.Tensor) -> Frames:
        images = nn.functional.pad(images, (0, -images.shape[3] % 4))
        return Frames(self.head(self.layers(self.body(images).squeeze(2).transpose(1, 2))))


class NotForOnnx(Attention):
    """Runs an operator that ONNX lacks."""

    def forward(self, images: torch.Tensor) -> Frames:
        frames = super().forward(images)
        return Frames(frames.logits * torch.special.bessel_j0(frames.logits))


def _own_model(cls: type[Attention]) -> Model:
    charset, preprocess = Charset.from_texts(["abc"]), Preprocess(height_px=8)
    info = ModelInfo(get_class_path(cls), {}, charset.to_dict(), preprocess.to_dict(), 8)
    return Model(cls(charset.num_classes).eval(), charset, preprocess, info)


def test_attention_is_exported_without_its_fused_operators(tmp_path: Path) -> None:
    assert torch.backends.mha.get_fastpath_enabled()
    assert write_onnx(tmp_path / "own.onnx", _own_model(Attention)).max_difference < 1e-4
    assert torch.backends.mha.get_fastpath_enabled() and (tmp_path / "own.onnx").is_file()


def test_operators_that_onnx_lacks_are_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"NotForOnnx cannot be exported to ONNX \(.*bessel_j0"):
        write_onnx(tmp_path / "own.onnx", _own_model(NotForOnnx))
    assert torch.backends.mha.get_fastpath_enabled() and not list(tmp_path.iterdir())


def test_a_json_file_of_something_else_is_not_written_over(latin: Model, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ExportError, match=r"run\.json: the file exists and does not describe an ONNX file"):
        write_onnx(tmp_path / "run.onnx", latin)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    write_onnx(tmp_path / "model.onnx", latin)
    write_onnx(tmp_path / "model.onnx", latin)

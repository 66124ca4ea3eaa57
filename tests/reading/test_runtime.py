"""What runs a model when it is read: PyTorch or ONNX Runtime, from a cache of exported models."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
from helpers.small_models import write_small_model
from helpers.typesetting import typeset

import htr_lightning
from htr_lightning.cli import align, evaluate, predict
from htr_lightning.device import DeviceError
from htr_lightning.model import onnx_export
from htr_lightning.model.file import Model, load_model, write_model
from htr_lightning.model.info import METADATA_KEY, ModelFileError, read_info
from htr_lightning.model.onnx_model import OnnxModel
from htr_lightning.reading import onnx_cache, runtime
from htr_lightning.reading.lines import LineReader
from htr_lightning.reading.runtime import choose_runtime, open_recognizer

pytest.importorskip("onnx")
IMAGES = np.where(np.random.default_rng(3).random((2, 32, 96)) < 0.1, 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of exported models of one test."""
    monkeypatch.setenv(onnx_cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model_file(tmp_path: Path, folder: Path) -> Path:
    return write_small_model(tmp_path / "model.safetensors")


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each export that a test makes is in 8 bits."""
    made: list[bool] = []
    export = onnx_export.export_onnx

    def count(model: Model, **options: Any) -> tuple[bytes, float]:
        made.append(options.get("int8") is not None)
        return export(model, **options)

    monkeypatch.setattr(onnx_export, "export_onnx", count)
    return made


def hide(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    find = runtime.importlib.util.find_spec
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda name: None if name in names else find(name))


def list_exports(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.export"))


def test_reading_on_a_cpu_goes_through_onnx_runtime_which_is_exported_once(
    model_file: Path, folder: Path, exports: list[bool]
) -> None:
    notes: list[str] = []
    first = open_recognizer(model_file, "cpu", note=notes.append, report=pytest.fail)
    again = open_recognizer(model_file, "cpu", note=notes.append, report=pytest.fail)
    assert exports == [False] and len(list_exports(folder)) == 1
    assert len(notes) == 1 and notes[0].startswith(f"{model_file}: exported to ONNX") and notes[0].endswith(" s")
    torch = load_model(model_file)
    for model in (first, again):
        assert isinstance(model, OnnxModel) and model.info == torch.info and model.onnx.weights == "float32"
        assert np.abs(model.logits(IMAGES) - torch.logits(IMAGES)).max() < 1e-4
    assert isinstance(open_recognizer(model_file, "cpu", runtime="torch"), Model)
    write_small_model(model_file, seed=1)  # trained again
    assert np.abs(open_recognizer(model_file, "cpu").logits(IMAGES) - first.logits(IMAGES)).max() > 1e-2
    assert len(list_exports(folder)) == 2


def test_eight_bits_where_the_model_file_says_that_they_read_as_well(
    model_file: Path, folder: Path, exports: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wordfreq")
    assert choose_runtime(model_file, "cpu") == "onnx"
    write_small_model(model_file, int8=True)
    assert choose_runtime(model_file, "cpu") == "onnx-int8" and read_info(model_file).int8 is True
    recognizer = open_recognizer(model_file, "cpu")
    assert isinstance(recognizer, OnnxModel) and recognizer.onnx.weights == "int8" and exports == [True]
    full = open_recognizer(model_file, "cpu", runtime="onnx")
    assert isinstance(full, OnnxModel) and full.onnx.weights == "float32"
    assert len(list_exports(folder)) == 2
    hide(monkeypatch, "wordfreq")  # the lines that it is calibrated on cannot be drawn, but it was exported before
    assert choose_runtime(model_file, "cpu") == "onnx-int8"
    list_exports(folder)[1].unlink()
    assert choose_runtime(model_file, "cpu") == "onnx"


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_a_file_that_says_something_else_is_damaged(model_file: Path, value: object) -> None:
    weights = safetensors.torch.load_file(model_file)
    with safetensors.safe_open(model_file, framework="np") as file:
        metadata = json.loads(file.metadata()[METADATA_KEY])
    safetensors.torch.save_file(weights, model_file, {METADATA_KEY: json.dumps(metadata | {"int8": value})})
    with pytest.raises(ModelFileError, match=r"int8 is .*, which is not of the type bool"):
        read_info(model_file)
    with pytest.raises(ModelFileError, match="int8 is "):
        open_recognizer(model_file, "cpu")


def test_without_torch_once_it_is_exported(model_file: Path, tmp_path: Path) -> None:
    typeset("abc").save(tmp_path / "a.png")
    code = (
        "import sys, htr_lightning; reader = htr_lightning.load(sys.argv[1], 'cpu'); reader.read_line(sys.argv[2]); "
        "print(type(reader.model).__name__, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(model_file), str(tmp_path / "a.png")]
    told = [subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() for _ in range(2)]
    assert told == ["OnnxModel True", "OnnxModel False"]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-100], lambda data: data[:500] + b"\0" + data[501:], lambda _: b""]
)
def test_a_damaged_export_is_made_again(
    model_file: Path, folder: Path, exports: list[bool], damage: Callable[[bytes], bytes]
) -> None:
    before = open_recognizer(model_file, "cpu").logits(IMAGES)
    (path,) = list_exports(folder)
    path.write_bytes(damage(path.read_bytes()))
    assert np.array_equal(open_recognizer(model_file, "cpu", report=pytest.fail).logits(IMAGES), before)
    assert exports == [False, False] and list_exports(folder) == [path]
    open_recognizer(model_file, "cpu")
    assert len(exports) == 2


def test_a_cache_that_cannot_be_written(
    model_file: Path, tmp_path: Path, exports: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(onnx_cache.CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    told: list[str] = []
    assert choose_runtime(model_file, "cpu") == "torch"
    assert isinstance(open_recognizer(model_file, "cpu", report=told.append), Model) and not exports
    assert len(told) == 1 and "set HTR_CACHE to another folder; PyTorch reads" in told[0] and "file/cache: " in told[0]
    assert isinstance(open_recognizer(model_file, "cpu", runtime="onnx", report=told.append), OnnxModel)
    assert len(told) == 2 and exports == [False]


def test_a_disk_that_is_full(model_file: Path, exports: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(onnx_cache, "atomic_write", fill)
    told: list[str] = []
    assert isinstance(open_recognizer(model_file, "cpu", report=told.append), OnnxModel) and exports == [False]
    assert told == ["exported models cannot be kept (No space left on device); set HTR_CACHE to another folder"]


def test_two_at_the_same_time_export_once(model_file: Path, folder: Path, exports: list[bool]) -> None:
    with ThreadPoolExecutor(2) as pool:
        models = list(pool.map(lambda _: open_recognizer(model_file, "cpu", report=pytest.fail), range(2)))
    assert exports == [False] and len(list_exports(folder)) == 1
    assert np.array_equal(models[0].logits(IMAGES), models[1].logits(IMAGES))
    assert not list(folder.glob("*.partial"))


def test_exports_that_nobody_reads_are_deleted(model_file: Path, tmp_path: Path, folder: Path) -> None:
    folder.mkdir()
    old, recent = folder / "old-onnx-1.export", folder / "recent-onnx-1.export"
    for path, days in ((old, 100), (recent, 80)):
        path.write_bytes(b"x")
        onnx_cache.os.utime(path, (time.time() - days * 86400,) * 2)
    open_recognizer(model_file, "cpu")
    assert not old.exists() and recent.exists()


def test_where_nothing_can_be_exported_torch_reads_without_a_word(
    model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnxruntime", "onnx"):
        with monkeypatch.context() as patch:
            hide(patch, name)
            assert choose_runtime(model_file, "cpu") == "torch"
            assert isinstance(open_recognizer(model_file, "cpu", report=pytest.fail), Model)
            with pytest.raises(ValueError, match=r"install.*pip install 'htr-lightning\[export-onnx\]'$"):
                open_recognizer(model_file, "cpu", runtime="onnx")


def test_a_model_that_cannot_be_exported_is_read_by_torch(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(model: Model, **options: object) -> None:
        raise onnx_export.ExportError("its logits differ")

    monkeypatch.setattr(onnx_export, "export_onnx", refuse)
    told: list[str] = []
    assert isinstance(open_recognizer(model_file, "cpu", report=told.append), Model)
    assert told == [f"{model_file}: its logits differ; PyTorch reads the lines instead, more slowly"]
    with pytest.raises(onnx_export.ExportError, match=r"model\.safetensors: its logits differ"):
        open_recognizer(model_file, "cpu", runtime="onnx", report=pytest.fail)


def test_what_torch_alone_can_do_goes_to_torch(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose_runtime(model_file, "cpu", "bf16") == choose_runtime(model_file, "cuda") == "torch"
    (tmp_path / "best.ckpt").write_bytes(b"")
    assert choose_runtime(tmp_path / "best.ckpt", "cpu") == "torch"
    monkeypatch.setattr(runtime, "has_cuda", lambda: True)
    assert choose_runtime(model_file) == "torch"
    monkeypatch.setattr(runtime, "has_cuda", lambda: False)
    assert choose_runtime(model_file) == "onnx"


def test_own_networks_are_exported_only_if_asked(model_file: Path, folder: Path, exports: list[bool]) -> None:
    model = load_model(model_file)
    own = replace(model.info, architecture="helpers.own_network.OwnNetwork")
    write_model(model_file, model.network.state_dict(), own)
    with pytest.raises(ModelFileError, match=r"add --trust helpers\.own_network"):
        open_recognizer(model_file, "cpu")
    assert isinstance(open_recognizer(model_file, "cpu", trust=["helpers"], report=pytest.fail), Model)
    with pytest.raises(ModelFileError, match=r"add --trust helpers\.own_network"):
        open_recognizer(model_file, "cpu", runtime="onnx")
    for _ in range(2):  # its code may have changed
        exported = open_recognizer(model_file, "cpu", trust=["helpers"], runtime="onnx", report=pytest.fail)
        assert np.abs(exported.logits(IMAGES) - model.logits(IMAGES)).max() < 1e-4
    assert exports == [False, False] and not list_exports(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runtime": "tensorrt"}, "--runtime tensorrt: unknown runtime; choose from auto, torch, onnx, onnx-int8"),
        ({"runtime": "onnx", "precision": "bf16"}, "--runtime onnx: only PyTorch computes in bf16"),
    ],
)
def test_what_does_not_go_together(model_file: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        open_recognizer(model_file, "cpu", **options)


def test_an_onnx_file_is_run_as_it_is(latin_onnx: Path) -> None:
    assert choose_runtime(latin_onnx) == "onnx" and isinstance(open_recognizer(latin_onnx), OnnxModel)
    with pytest.raises(DeviceError, match=r"--runtime torch: .*latin\.onnx is an ONNX file"):
        open_recognizer(latin_onnx, runtime="torch")


def test_the_same_text_positions_and_confidences(tmp_path: Path) -> None:
    typeset("dans la nuit").save(tmp_path / "a.png")
    readers = [htr_lightning.load("zoo:latin", "cpu", runtime=name) for name in ("torch", "onnx", "auto")]
    assert [type(reader.model).__name__ for reader in readers] == ["Model", "OnnxModel", "OnnxModel"]
    torch, onnx, _ = (reader.read_line(tmp_path / "a.png") for reader in readers)
    assert torch.text == onnx.text and torch.confidence == pytest.approx(onnx.confidence, abs=1e-4)
    assert [c.outline for c in torch.characters] == [c.outline for c in onnx.characters]


def test_the_commands_take_it(
    model_file: Path, tmp_path: Path, exports: list[bool], capsys: pytest.CaptureFixture[str]
) -> None:
    typeset("abc").save(tmp_path / "a.png")
    (tmp_path / "val.tsv").write_text("image\ttext\na.png\tabc\n")
    predict.main([str(model_file), str(tmp_path / "a.png"), "--lines", "--runtime", "torch"])
    evaluate.main([str(model_file), "--data", str(tmp_path / "val.tsv")])
    assert not exports
    predict.main([str(model_file), str(tmp_path / "a.png"), "--lines"])
    evaluate.main([str(model_file), "--data", str(tmp_path / "val.tsv"), "--runtime", "auto"])
    assert exports == [False] and "exported" not in capsys.readouterr().err  # which is for terminals
    assert align.build_parser().get_default("default_runtime") == "auto"


def test_pages_read_by_another_runtime_are_other_results(
    model_file: Path, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = [str(model_file), str(scans), "--out", str(tmp_path / "out"), "--finder", "classical", "--device", "cpu"]
    predict.main(call)
    with pytest.raises(SystemExit) as stopped:
        predict.main([*call, "--runtime", "torch"])
    assert "--runtime onnx, now not given" in f"{capsys.readouterr().err}{stopped.value.code}"
    predict.main([*call, "--runtime", "onnx"])
    assert "2 pages skipped" in capsys.readouterr().err


def test_a_reader_prepares_the_next_lines_while_it_decodes(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from htr_lightning.data.line import Line
    from htr_lightning.image.line_image import ImageFile
    from htr_lightning.reading import lines as lines_module

    for number in range(5):
        typeset("abc " * (1 + number % 3)).save(tmp_path / f"{number}.png")
    lines = [Line(str(n), ImageFile(tmp_path / f"{n}.png"), "") for n in range(5)]
    reader = LineReader(load_model(model_file))
    together = [(p.id, p.text, p.confidence) for p in reader.read(lines)]
    taken: list[str] = []

    def take() -> Any:
        for line in lines:
            taken.append(line.id)
            yield line

    monkeypatch.setattr(lines_module, "CHUNK_LINES", 2)
    readings = reader.read(take())
    first = next(readings)
    assert taken == ["0", "1", "2", "3"]
    apart = [(p.id, p.text, p.confidence) for p in (first, *readings)]
    assert [p[:2] for p in apart] == [p[:2] for p in together]
    assert [p[2] for p in apart] == pytest.approx([p[2] for p in together], abs=1e-5)

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.page_maps import tiny_finder
from safetensors.torch import load_file

from htr_lightning.charset import Charset
from htr_lightning.cli import export
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.file import read_model, write_model
from htr_lightning.model.finder_file import read_finder, write_finder
from htr_lightning.model.finder_onnx import read_onnx_finder
from htr_lightning.model.info import ModelInfo
from htr_lightning.model.network import get_class_path


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    charset = Charset.from_texts(["abc"])
    network = CRNN(charset.num_classes, height_px=16, channels=[8], blocks=[1], strides=[[2, 2]], rnn_size=8)
    info = ModelInfo(get_class_path(CRNN), network.arguments, charset.to_dict(), Preprocess(height_px=16).to_dict(), 32)
    write_model(tmp_path / "model.safetensors", network.state_dict(), info)
    return tmp_path / "model.safetensors"


def test_half_precision_halves_the_matrices_and_reads_nearly_the_same(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "half.safetensors"
    said = ["--license", "CC-BY-4.0", "--languages", "fr", "en", "--attribution", "somebody"]
    export.main([str(model_file.parent), "--out", str(out), "--half", *said])
    assert capsys.readouterr().out == f"{out}: {out.stat().st_size / 1e6:.2f} MB\n"
    stored = load_file(out)
    assert stored["rnn.weight_ih_l0"].dtype == torch.float16 and stored["rnn.bias_ih_l0"].dtype == torch.float32
    assert stored["backbone.stem.1.running_var"].dtype == torch.float32
    before, after = read_model(model_file), read_model(out)
    assert (after.info.license, after.info.languages, after.info.attribution) == ("CC-BY-4.0", ["fr", "en"], "somebody")
    assert after.charset == before.charset and after.preprocess == before.preprocess
    images = torch.rand(2, 1, 16, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        old, new = before.network(images).logits, after.network(images).logits
    assert new.dtype == torch.float32
    torch.testing.assert_close(new, old, atol=5e-3, rtol=0)


def test_the_language_model_to_decode_with(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, again = tmp_path / "out.safetensors", tmp_path / "again.safetensors"
    export.main([str(model_file), "--out", str(out), "--lm", "auto", "--languages", "fr"])
    export.main([str(out), "--out", str(again)])
    assert read_model(out).info.lm == read_model(again).info.lm == "auto"
    export.main([str(out), "--out", str(again), "--lm", "none", "--overwrite"])
    assert read_model(again).info.lm == read_model(model_file).info.lm == ""
    capsys.readouterr()
    with pytest.raises(SystemExit):
        export.main([str(model_file), "--out", str(tmp_path / "no.safetensors"), "--lm", "auto"])
    assert "--lm auto: no language model fits" in capsys.readouterr().err
    assert not (tmp_path / "no.safetensors").exists()


def test_without_options_nothing_changes(model_file: Path, tmp_path: Path) -> None:
    export.main([str(model_file), "--out", str(tmp_path / "same.safetensors")])
    assert (tmp_path / "same.safetensors").read_bytes() == model_file.read_bytes()


def test_what_cannot_be_exported(model_file: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="zoo:klingon: there is no such model"):
        export.main(["zoo:klingon", "--out", str(tmp_path / "x")])
    with pytest.raises(SystemExit, match="cannot be written"):
        export.main([str(model_file), "--out", str(tmp_path / "none" / "x")])
    assert not (tmp_path / "x").exists()


@pytest.fixture
def finder_run(tmp_path: Path) -> Path:
    """A run folder of a line finder."""
    finder = tiny_finder()
    (tmp_path / "run").mkdir()
    write_finder(tmp_path / "run" / "model.safetensors", finder.network.state_dict(), finder.info)
    return tmp_path / "run"


def test_a_line_finder(finder_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "small.safetensors"
    export.main([str(finder_run), "--out", str(out), "--half", "--license", "CC0-1.0"])
    assert "a line finder, for --finder" in capsys.readouterr().out
    finder = read_finder(out)
    assert finder.info.license == "CC0-1.0" and finder.info.arguments["channels"] == [4, 4, 4]
    assert {tensor.dtype for tensor in load_file(out).values() if tensor.ndim > 1} == {torch.float16}
    with pytest.raises(SystemExit) as ended:
        export.main([str(finder_run), "--out", str(tmp_path / "x.safetensors"), "--languages", "fr"])
    assert ended.value.code == 2 and "--languages" in capsys.readouterr().err
    assert not (tmp_path / "x.safetensors").exists()


def test_a_line_finder_as_onnx(finder_run: Path, tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("onnx")
    out = tmp_path / "finder.onnx"
    export.main([str(finder_run), "--out", str(out)])
    assert read_onnx_finder(out).info.arguments["channels"] == [4, 4, 4] and not out.with_suffix(".json").exists()

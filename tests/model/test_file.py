import json
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from htr_lightning.charset import Charset
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.file import read_checkpoint, read_model, write_model
from htr_lightning.model.info import FORMAT_VERSION, METADATA_KEY, ModelFileError, ModelInfo, read_info

ARGUMENTS = {
    "channels": [8],
    "blocks": [1],
    "strides": [[2, 2]],
    "stem_channels": 4,
    "rnn_size": 8,
    "rnn_layers": 1,
}
CHARSET = Charset(list("aé\u0303"))


def build_small_network() -> tuple[CRNN, ModelInfo]:
    network = CRNN(CHARSET.num_classes, **ARGUMENTS)  # type: ignore[arg-type]
    info = ModelInfo(
        architecture="htr_lightning.model.crnn.CRNN",
        arguments=network.arguments,
        charset=CHARSET.to_dict(),
        preprocess=Preprocess(deslant=True).to_dict(),
        width_step_px=32,
        scores={"val/cer": 0.25},
    )
    return network, info


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    network, info = build_small_network()
    write_model(tmp_path / "model.safetensors", network.state_dict(), info)
    return tmp_path / "model.safetensors"


def write_with_metadata(path: Path, metadata: dict[str, str]) -> Path:
    safetensors.torch.save_file({"x": torch.zeros(1)}, path, metadata)
    return path


def test_round_trip(tmp_path: Path) -> None:
    network, info = build_small_network()
    path = tmp_path / "model.safetensors"
    write_model(path, network.state_dict(), info)
    model = read_model(path)
    assert model.info == info and model.charset == CHARSET and model.preprocess == Preprocess(deslant=True)
    assert not model.network.training
    images = torch.rand(1, 1, 48, 64)
    assert torch.equal(model.network(images).logits, network.eval()(images).logits)
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"none\.safetensors: there is no such model file"):
        read_info(tmp_path / "none.safetensors")
    with pytest.raises(ModelFileError, match=r"a folder; name the model\.safetensors in it"):
        read_info(tmp_path)


@pytest.mark.parametrize("keep", [0, 4, 300, -10])
def test_truncated(model_file: Path, keep: int) -> None:
    data = model_file.read_bytes()
    model_file.write_bytes(data[:keep])
    with pytest.raises(ModelFileError, match=r"model\.safetensors: not a complete safetensors file.*again"):
        read_model(model_file)


def test_foreign_files(tmp_path: Path) -> None:
    path = write_with_metadata(tmp_path / "other.safetensors", {"format": "pt"})
    with pytest.raises(ModelFileError, match="but not a model of htr_lightning"):
        read_model(path)
    (tmp_path / "text").write_text("hello there")
    with pytest.raises(ModelFileError, match="not a complete safetensors file"):
        read_model(tmp_path / "text")


def test_newer_format(tmp_path: Path) -> None:
    newer = asdict(replace(build_small_network()[1], format=FORMAT_VERSION + 1)) | {"something_new": 1}
    path = write_with_metadata(tmp_path / "new.safetensors", {METADATA_KEY: json.dumps(newer)})
    with pytest.raises(
        ModelFileError, match=rf"model format {FORMAT_VERSION + 1}, but .* up to {FORMAT_VERSION}; upgrade"
    ):
        read_model(path)


def test_older_format(tmp_path: Path) -> None:
    network, info = build_small_network()
    path = tmp_path / "old.safetensors"
    write_model(path, network.state_dict(), info)
    metadata = asdict(info) | {"format": 2, "licence": "CC0-1.0"}
    metadata["preprocess"]["grey"] = metadata["preprocess"].pop("gray")
    del metadata["license"]
    weights = safetensors.torch.load_file(path)
    safetensors.torch.save_file(weights, path, {METADATA_KEY: json.dumps(metadata)})
    assert read_model(path).info == replace(info, license="CC0-1.0")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": 1}', '{"format": 1, "nonsense": 2}'])
def test_damaged_metadata(tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelFileError, match="its metadata is damaged"):
        read_model(write_with_metadata(tmp_path / "damaged.safetensors", {METADATA_KEY: text}))


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_model(path, {"other": torch.zeros(2)}, build_small_network()[1])
    with pytest.raises(ModelFileError, match="its weights or metadata are inconsistent"):
        read_model(path)


@pytest.mark.parametrize("half", [False, True])
def test_a_changed_weight_is_noticed(tmp_path: Path, half: bool) -> None:
    network, info = build_small_network()
    path = tmp_path / "model.safetensors"
    write_model(path, network.state_dict(), info, half=half)
    read_model(path)
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="checksum") as error:
        read_model(path)
    assert error.value.kind == "damaged"


def test_failed_write_leaves_the_old_file(model_file: Path) -> None:
    before = model_file.read_bytes()
    network, info = build_small_network()
    with pytest.raises(TypeError):
        write_model(model_file, network.state_dict(), replace(info, scores={"x": object()}))  # type: ignore[dict-item]
    assert model_file.read_bytes() == before
    assert [p.name for p in model_file.parent.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stem_channels", 10_000_000),
        ("stem_kernel", 10_001),
        ("rnn_size", 10_000_000),
        ("rnn_layers", 1_000_000_000),
        ("channels", [2**40]),
        ("blocks", [1_000_000_000]),
    ],
)
def test_a_description_of_a_network_larger_than_its_file_is_refused(tmp_path: Path, name: str, value: object) -> None:
    network, info = build_small_network()
    path = tmp_path / "model.safetensors"
    write_model(path, network.state_dict(), replace(info, arguments=info.arguments | {name: value}))
    with pytest.raises(ModelFileError, match="its weights or metadata are inconsistent") as error:
        read_model(path)
    assert error.value.kind == "damaged" and "\n" not in str(error.value).splitlines()[0]


@pytest.mark.parametrize(
    ("name", "value"), [("height_px", 10**9), ("pad_px", 10**9), ("max_width_px", 10**9), ("max_pixels", 10**12)]
)
def test_preprocessing_that_would_fill_the_memory_is_refused(tmp_path: Path, name: str, value: int) -> None:
    network, info = build_small_network()
    path = tmp_path / "model.safetensors"
    write_model(path, network.state_dict(), replace(info, preprocess=info.preprocess | {name: value}))
    with pytest.raises(ModelFileError, match=rf"preprocess\.{name}={value}"):
        read_model(path)


def test_a_width_step_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    metadata = asdict(build_small_network()[1]) | {"width_step_px": 10**9}
    path = write_with_metadata(tmp_path / "model.safetensors", {METADATA_KEY: json.dumps(metadata)})
    with pytest.raises(ModelFileError, match="width_step_px"):
        read_model(path)


def write_checkpoint(path: Path, **changed: object) -> Path:
    network, info = build_small_network()
    weights = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({METADATA_KEY: asdict(info), "state_dict": weights} | changed, path)
    return path


def test_a_checkpoint_with_expanded_weights_is_refused(tmp_path: Path) -> None:
    info = build_small_network()[1]
    large = replace(info, arguments=info.arguments | {"rnn_size": 10_000_000})
    path = tmp_path / "model.ckpt"
    with torch.device("meta"):
        shapes = {n: t.shape for n, t in CRNN(CHARSET.num_classes, **large.arguments).state_dict().items()}
    weights = {f"model.{name}": torch.zeros(()).expand(shape) for name, shape in shapes.items()}
    write_checkpoint(path, state_dict=weights, **{METADATA_KEY: asdict(large)})
    assert path.stat().st_size < 100_000
    with pytest.raises(ModelFileError, match=r"its weights take .* bytes, but the file has"):
        read_checkpoint(path)


def test_a_checkpoint_with_a_changed_weight_or_compressed_parts_is_refused(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "model.ckpt")
    assert read_checkpoint(path).charset == CHARSET
    with zipfile.ZipFile(path) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    weight = next(content for name, content in parts.items() if "/data/" in name and len(content) > 50)
    path.write_bytes(path.read_bytes().replace(weight, weight[:8] + bytes([weight[8] ^ 1]) + weight[9:]))
    with pytest.raises(ModelFileError, match="checksum"):
        read_checkpoint(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(ModelFileError, match="compressed"):
        read_checkpoint(path)

"""Networks of one's own: what they must offer, what a model file says of them, and what loading them takes."""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from htr_lightning.charset import Charset
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.file import load_model, write_model
from htr_lightning.model.info import ModelFileError, ModelInfo
from htr_lightning.model.network import Frames, NetworkError, find_class, get_class_path, hash_source, is_ours
from htr_lightning.model.network_check import check_arguments, check_network

SOURCE = '''
import torch
from torch import nn
from htr_lightning.model.network import Frames

class Columns(nn.Module):
    """One linear layer for each column of eight pixels."""

    heads = ("out",)
    frame_px = 8

    def __init__(self, num_classes, *, height_px=16):
        super().__init__()
        self.arguments, self.height_px = {"height_px": height_px}, height_px
        self.into = nn.Conv2d(1, 4, (height_px, 8), stride=8)
        self.out = nn.Linear(4, num_classes)

    def blocks(self):
        return ["into"]

    def frame_lengths(self, widths):
        return -(-widths // 8)

    def forward(self, images):
        images = nn.functional.pad(images, (0, -images.shape[3] % 8))
        return Frames(self.out(self.into(images).squeeze(2).transpose(1, 2)))
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module of the user's, ``own_nets``, in a folder that Python searches."""
    (tmp_path / "own_nets.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "own_nets.py"
    sys.modules.pop("own_nets", None)


def write_own_model(folder: Path) -> Path:
    cls = find_class("own_nets.Columns", ["own_nets"])
    charset = Charset(list("ab"))
    network = cls(charset.num_classes)
    info = ModelInfo(
        get_class_path(cls),
        network.arguments,
        charset.to_dict(),
        Preprocess(height_px=16).to_dict(),
        32,
        source_digest=hash_source(cls),
    )
    write_model(folder / "own.safetensors", network.state_dict(), info)
    sys.modules.pop("own_nets")
    return folder / "own.safetensors"


def test_a_model_file_names_its_class_and_needs_trust(module: Path, tmp_path: Path) -> None:
    path = write_own_model(tmp_path)
    with pytest.raises(ModelFileError) as error:
        load_model(path)
    assert error.value.kind == "untrusted" and error.value.file == path
    assert "--trust own_nets.Columns" in str(error.value) and "own_nets" not in sys.modules
    for trust in ("own_nets.Columns", "own_nets"):
        model = load_model(path, trust=[trust])
        assert type(model.network).__name__ == "Columns" and model.frame_px == 8
        assert not is_ours(type(model.network))
    with pytest.raises(ModelFileError, match="is not part of this package"):
        load_model(path, trust=["own_net", "own_nets.Other"])


def test_a_class_that_has_gone_or_changed_is_named(
    module: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_own_model(tmp_path)
    module.write_text(SOURCE.replace("One linear", "A linear"), encoding="utf-8")
    assert load_model(path, trust=["own_nets"]).frame_px == 8
    assert "the source of own_nets.Columns has changed since the model was trained" in caplog.text
    sys.modules.pop("own_nets")
    module.write_text(
        SOURCE.replace("Conv2d(1, 4,", "Conv2d(1, 5,").replace("Linear(4,", "Linear(5,"), encoding="utf-8"
    )
    with pytest.raises(ModelFileError, match=r"size mismatch.*has changed since the model was trained"):
        load_model(path, trust=["own_nets"])
    sys.modules.pop("own_nets")
    module.unlink()
    with pytest.raises(ModelFileError, match=r"own_nets\.Columns cannot be imported \(ModuleNotFoundError"):
        load_model(path, trust=["own_nets"])


@pytest.mark.parametrize(
    "name",
    [
        "htr_lightning.model.crnn.inspect",
        "htr_lightning.model.crnn.to_json_types",
        "htr_lightning.model.file.functools.partial",
        "htr_lightning.model.network.importlib.import_module",
        "htr_lightning.model.crnn.nn.Module",
        "htr_lightning.model.crnn.ResidualBackbone",
        "os.system",
        "CRNN",
        "",
    ],
)
def test_nothing_else_of_this_package_is_a_network(name: str) -> None:
    with pytest.raises(NetworkError):
        find_class(name)


def test_our_networks_need_no_trust() -> None:
    assert find_class("htr_lightning.model.crnn.CRNN") is CRNN and is_ours(CRNN)


class Small(nn.Module):
    """A network that keeps the protocol; the tests take something away."""

    heads: Sequence[str] = ("head",)
    height_px, frame_px = 8, 4

    def __init__(self, num_classes: int = 5) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {}
        self.body, self.head = nn.Conv1d(8, 6, 4, stride=4), nn.Linear(6, num_classes)

    def blocks(self) -> list[str]:
        return ["body"]

    def frame_lengths(self, widths: Tensor) -> Tensor:
        return -(-widths // 4)

    def forward(self, images: Tensor) -> Any:
        images = nn.functional.pad(images[:, 0], (0, -images.shape[3] % 4))
        return Frames(self.head(self.body(images).transpose(1, 2)))


def _without(name: str) -> Callable[[Small], None]:
    def change(network: Small) -> None:
        network.__class__ = type("Less", (nn.Module,), {k: v for k, v in vars(Small).items() if k != name})
        network.__dict__.pop(name, None)

    return change


def _set(**members: Any) -> Callable[[Small], None]:
    return lambda network: [object.__setattr__(network, name, value) for name, value in members.items()] and None


def _fail(images: Tensor) -> Any:
    raise RuntimeError("sizes differ\nand more")


def _add_layers(network: Small) -> None:
    network.more = nn.ModuleList(nn.Linear(2, 2) for _ in range(5))


PROBLEMS: list[tuple[Callable[[Small], None], str]] = [
    (_without("arguments"), "lacks arguments"),
    (_without("blocks"), "lacks blocks"),
    (_without("frame_lengths"), "lacks frame_lengths"),
    (_without("heads"), "lacks heads"),
    (_set(heads=()), "heads is empty"),
    (_set(heads=("tail",)), "no such module"),
    (_set(heads=("head", "body")), r"body\.weight is in a head, but has 6 rows for 5 classes"),
    (_set(blocks=lambda: []), r"leave out 2 parameters: body\.weight, body\.bias; correct"),
    (_add_layers, r"leave out 10 parameters: more\.0\.weight, more\.0\.bias, more\.1\.weight, \.\.\.; correct"),
    (_set(frame_lengths=lambda widths: widths / 4), "integer tensor"),
    (_set(frame_lengths=lambda widths: widths // 4 - 2), r"at least 0, but is -2 for 1 px"),
    (_set(frame_lengths=lambda widths: -(-widths // 4) % 60), r"must not fall .* 59 for 236 px and 0 for 237 px"),
    (_set(frame_lengths=lambda widths: widths // 2), r"shape \(2, 128, 5\), but returns \(2, 64, 5\)"),
    (
        _set(forward=_fail),
        r"forward.*\(2, 1, 8, 256\) fails \(RuntimeError: sizes differ, line \d+ of .*test_network\.py\)",
    ),
    (_set(frame_lengths=lambda: 1), r"frame_lengths\(widths\) fails \(TypeError"),
    (_set(forward=lambda images: torch.zeros(2, 64, 5)), "must return .*Frames, but returns torch.float32"),
]


@pytest.mark.parametrize(("change", "problem"), PROBLEMS)
def test_what_a_network_lacks_is_named(change: Callable[[Small], None], problem: str) -> None:
    network = Small()
    check_network(network, 5)
    change(network)
    with pytest.raises(NetworkError, match=problem) as error:
        check_network(network, 5)
    assert error.value.key == "model"


def test_all_that_is_missing_is_named_at_once_and_other_objects_are_refused() -> None:
    with pytest.raises(NetworkError, match=r"lacks arguments .*height_px .*frame_px .*heads .*frame_lengths .*blocks"):
        check_network(nn.Linear(2, 2), 2)
    with pytest.raises(NetworkError, match=r"builtins\.dict is not a torch\.nn\.Module"):
        check_network({}, 2)


class Sized(Small):
    """A network with an argument of its own."""

    def __init__(self, num_classes: int, *, sizes: dict[str, int] | None = None) -> None:
        super().__init__(num_classes)
        sizes = sizes or {"body": 6}
        self.arguments = {"sizes": sizes}
        self.body, self.head = nn.Conv1d(8, sizes["body"], 4, stride=4), nn.Linear(sizes["body"], num_classes)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, r"built again from its arguments \{\}, body\.weight is \(6, 8, 4\) instead of \(7, 8, 4\)"),
        (
            {"size": {}},
            r"cannot be built again from its arguments .* \(TypeError: .*unexpected keyword.* 'size'",
        ),
        ({"sizes": torch.tensor(7)}, "JSON types only .*Tensor"),
        ({"sizes": {"body": float("nan")}}, "JSON types only"),
    ],
)
def test_a_network_must_be_what_its_arguments_build(arguments: dict[str, Any], problem: str) -> None:
    network = Sized(5, sizes={"body": 7})
    state = torch.random.get_rng_state()
    check_arguments(network, 5)
    assert torch.equal(state, torch.random.get_rng_state())
    network.arguments = arguments
    with pytest.raises(NetworkError, match=problem) as error:
        check_arguments(network, 5)
    assert error.value.key == "model" and "self.arguments" in error.value.remedy


def test_trying_a_network_changes_nothing() -> None:
    network = CRNN(5, height_px=16, channels=[8], blocks=[1], strides=[[2, 2]], rnn_size=4, rnn_layers=1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = torch.random.get_rng_state()
    check_network(network, 5)
    assert network.training and torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())

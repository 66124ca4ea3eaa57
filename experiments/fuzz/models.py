"""Model files, checkpoints and ONNX files, read and run on a line."""

import contextlib
import json
import struct
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from mutate import NUMBERS, TEXTS, mutate_bytes, mutate_text
from outcome import READ, require

from htr_lightning.charset import Charset
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.file import Model, write_model
from htr_lightning.model.info import METADATA_KEY, ModelInfo
from htr_lightning.model.load import load_recognizer

CHARACTERS = " '&,.<>12éabcdehilmnorstuvx-NL"
_SMALL = {"channels": [8, 16], "blocks": [1, 1], "strides": [[2, 2], [2, 1]], "rnn_size": 16, "rnn_layers": 1}


def make_model(folder: Path) -> Model:
    """Make a small model with random weights."""
    charset, preprocess = Charset(CHARACTERS), Preprocess(height_px=32)
    torch.manual_seed(0)
    network = CRNN(charset.num_classes, height_px=32, **_SMALL).eval()
    info = ModelInfo(
        f"{CRNN.__module__}.CRNN", network.arguments, charset.to_dict(), preprocess.to_dict(), 16, {"val/cer": 0.5}
    )
    write_model(folder / "model.safetensors", network.state_dict(), info)
    weights = {f"model.{name}": value for name, value in network.state_dict().items()}
    torch.save({METADATA_KEY: vars(info), "state_dict": weights}, folder / "model.ckpt")
    for name in ("model.safetensors", "model.ckpt"):
        load_recognizer(folder / name, "cpu")
    return Model(network, charset, preprocess, info)


class Models:
    """Model files of one suffix.

    Args:
        name: of the kind.
        seed: a valid file.
    """

    rewrites_input = False

    def __init__(self, name: str, seed: Path) -> None:
        self.name, self._suffix, self._seed = name, seed.suffix, seed.read_bytes()
        self._seed_path = seed

    def write(self, random: Random, folder: Path) -> Path:
        """Write a model file."""
        path = folder / f"model{self._suffix}"
        is_described = random.random() < 0.7
        if is_described and self._suffix == ".safetensors":
            path.write_bytes(_mutate_safetensors(random, self._seed))
        elif is_described and self._suffix == ".ckpt":
            state = torch.load(self._seed_path, weights_only=True)
            if random.random() < 0.7:
                state[METADATA_KEY] = mutate_json(random, state[METADATA_KEY])
            else:
                _mutate_state(random, state)
            torch.save(state, path)
        elif is_described and self._suffix == ".onnx":
            path.write_bytes(_mutate_onnx(random, self._seed))
        else:
            path.write_bytes(mutate_bytes(random, self._seed, [self._seed], head=3000))
        return path

    def read(self, given: Path, folder: Path, out: Path) -> str:
        """Load the model, and run it on a line."""
        model = load_recognizer(given, "cpu")
        height, step = model.preprocess.height_px, model.info.width_step_px
        widths = np.array([step * -(-200 // step)])
        logits = model.logits(np.full((1, height, int(widths[0])), 255, np.uint8))
        require(logits.shape == (1, int(model.frame_lengths(widths)[0]), model.charset.num_classes), f"{logits.shape}")
        require(np.isfinite(logits).all(), "logits that are not finite")
        return READ


def mutate_json(random: Random, node: Any) -> Any:
    """Change one value of a JSON document."""
    if isinstance(node, dict) and node and random.random() < 0.9:
        key = random.choice(sorted(node))
        changed = dict(node)
        match random.randrange(8):
            case 0:
                del changed[key]
            case 1:
                changed[random.choice(("x", "", "_target_", key.upper()))] = changed.pop(key)
            case _:
                changed[key] = mutate_json(random, node[key])
        return changed
    if isinstance(node, list) and node and random.random() < 0.7:
        changed_list = list(node)
        at = random.randrange(len(node))
        changed_list[at] = mutate_json(random, node[at])
        return changed_list if random.random() < 0.7 else changed_list * random.choice((0, 2, 50))
    texts = [text for text in TEXTS if len(text) < 400]
    values: tuple[Any, ...] = (None, True, [], {}, 0.5, -1, 1e308, [[]], *NUMBERS, *texts)
    return random.choice(values)


def _mutate_safetensors(random: Random, content: bytes) -> bytes:
    """Change the JSON at the start of a safetensors file, or the description of the model in it."""
    (length,) = struct.unpack_from("<Q", content)
    head, rest = json.loads(content[8 : 8 + length]), content[8 + length :]
    if random.random() < 0.7:
        described = mutate_json(random, json.loads(head["__metadata__"][METADATA_KEY]))
        head["__metadata__"][METADATA_KEY] = json.dumps(described)
    else:
        head = mutate_json(random, head)
    written = json.dumps(head).encode()
    if random.random() < 0.1:
        written = mutate_text(random, written.decode(), ",:{}[")
    written += b" " * (-len(written) % 8)
    return struct.pack("<Q", len(written)) + written + rest


def _mutate_state(random: Random, state: dict[str, Any]) -> None:
    """Change a tensor of a checkpoint, or what stands in its place."""
    weights = state["state_dict"]
    name = random.choice(sorted(weights))
    tensor = weights[name]
    changes = [
        torch.empty(0),
        tensor.half(),
        tensor[None],
        tensor * torch.nan,
        tensor.long(),
        [1.0],
        "x",
        None,
        {},
        tensor.to_sparse(),
    ]
    match random.randrange(3):
        case 0:
            del weights[name]
        case 1:
            weights[random.choice((name + "x", "model.", ""))] = weights.pop(name)
        case _:
            weights[name] = random.choice(changes)
    if random.random() < 0.1:
        state["state_dict"] = random.choice(([], None, 1, "x", {}))


def _mutate_onnx(random: Random, content: bytes) -> bytes:
    """Change the description of the model in an ONNX file, or a node of its graph."""
    import onnx

    model = onnx.load_from_string(content)
    if random.random() < 0.4:
        properties = {entry.key: entry.value for entry in model.metadata_props}
        properties[METADATA_KEY] = json.dumps(mutate_json(random, json.loads(properties[METADATA_KEY])))
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, properties)
    else:
        _mutate_graph(random, model)
    with contextlib.suppress(ValueError):
        content = model.SerializeToString()
    return content


def _mutate_graph(random: Random, model: Any) -> None:
    nodes = model.graph.node
    node = random.choice(nodes)
    match random.randrange(6):
        case 0:
            del nodes[random.randrange(len(nodes))]
        case 1 if node.input:
            node.input[random.randrange(len(node.input))] = random.choice(nodes).output[0]
        case 2 if node.attribute:
            attribute = random.choice(node.attribute)
            attribute.i = random.choice(NUMBERS) % 2**62
            for at in range(len(attribute.ints)):
                attribute.ints[at] = random.choice((*NUMBERS[:12], attribute.ints[at]))
        case 3:
            node.op_type = random.choice(("Identity", "Conv", "Reshape", "MaxPool", "LSTM", "Transpose", "X"))
        case 4:
            tensor = random.choice(model.graph.initializer)
            for at in range(len(tensor.dims)):
                tensor.dims[at] = random.choice((*NUMBERS[:10], tensor.dims[at]))
        case _:
            tensor = random.choice(model.graph.initializer)
            tensor.raw_data = mutate_bytes(random, tensor.raw_data)

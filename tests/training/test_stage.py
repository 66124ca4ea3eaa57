from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.typesetting import texts

from htr_lightning.charset import Charset
from htr_lightning.config.schema import ConfigError
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.file import Model, load_model, write_model
from htr_lightning.model.info import ModelFileError, ModelInfo
from htr_lightning.model.network import get_class_path
from htr_lightning.training.freezing import FreezingSchedule, list_blocks
from htr_lightning.training.stage import Finetune, build_charset, reconcile_config, transfer_weights

SMALL: dict[str, Any] = {
    "height_px": 16,
    "channels": [8, 8],
    "blocks": [1, 1],
    "strides": [[2, 2], [2, 1]],
    "rnn_size": 8,
    "rnn_layers": 1,
}


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    charset = Charset.from_texts(["abcd efgh"])
    network = CRNN(charset.num_classes, **SMALL)
    with torch.no_grad():  # as after training: some characters likely, some hardly ever
        for weight in network.rnn.parameters():
            weight.mul_(6)
        network.head.weight.mul_(30)
    preprocess = Preprocess(height_px=16, deslant=True)
    info = ModelInfo(get_class_path(CRNN), network.arguments, charset.to_dict(), preprocess.to_dict(), 32)
    return Model(network.eval(), charset, preprocess, info)


def images(number: int = 6) -> torch.Tensor:
    return torch.rand(number, 1, 16, 96, generator=torch.Generator().manual_seed(1))


def read(network: CRNN, charset: Charset) -> list[str]:
    with torch.inference_mode():
        logits = network.eval()(images()).logits
    return [charset.decode(ids) for ids in greedy_decode(logits.numpy(), np.full(6, logits.shape[1]))]


def test_extended_charset_reads_old_lines_as_before_to_the_last_character(model: Model) -> None:
    charset = build_charset(model, "extend", ["xyz é"])
    assert charset.characters == (*model.charset.characters, "x", "y", "z", "é")
    network, carried = transfer_weights(model, model.info.arguments, charset)
    assert (carried.kept, carried.added, carried.dropped) == (" abcdefgh", "xyzé", "")
    assert network.training
    before = read(model.network, model.charset)
    assert read(network, charset) == before and len(set("".join(before))) > 2
    with torch.inference_mode():
        old, new = model.network(images()).logits, network(images()).logits
    torch.testing.assert_close(new[..., : old.shape[2]], old, rtol=0, atol=1e-5)
    bias = network.auxiliary_head.bias
    assert bias is not None and torch.all(bias[-4:] == bias[-1])
    old_bias = model.network.head.bias[1:]
    assert network.head.bias[-1].item() == pytest.approx(
        (old_bias.mean() - old_bias.std(correction=0)).item(), abs=1e-6
    )


def test_replaced_charset_keeps_the_weights_of_characters_in_both(model: Model) -> None:
    charset = build_charset(model, "replace", ["hag!"])
    network, carried = transfer_weights(model, model.info.arguments, charset)
    assert charset.characters == ("!", "a", "g", "h")
    assert (carried.kept, carried.added, carried.dropped) == ("agh", "!", " bcdef")
    old = model.charset.characters.index("g") + 1
    assert torch.equal(network.head.weight[3], model.network.head.weight[old])
    assert torch.equal(network.head.weight[0], model.network.head.weight[0]), "the blank"


def test_kept_charset_refuses_new_characters_and_counts_them(model: Model) -> None:
    assert build_charset(model, "keep", ["abba"]) == model.charset
    with pytest.raises(ConfigError, match=r"have 2 characters that .* lacks: 'é' \(U\+00E9 .*\) 2 times"):
        build_charset(model, "keep", ["é", "aé!"])


def test_what_the_configuration_says_must_agree_with_the_model(model: Model) -> None:
    node = {"_target_": "htr_lightning.training.stage.build_loaded_network", "_partial_": True}
    assert reconcile_config(model, "model", node) == model.network.arguments
    assert reconcile_config(model, "model", {"_target_": "htr_lightning.model.crnn.CRNN"}) == model.network.arguments
    with pytest.raises(ConfigError, match=r"model\._target_=torch\.nn\.Linear: the model to start from is a .*CRNN"):
        reconcile_config(model, "model", {"_target_": "torch.nn.Linear"})
    assert reconcile_config(model, "model", {**node, "rnn_size": 8, "dropout": 0.5})["dropout"] == 0.5
    with pytest.raises(ConfigError) as caught:
        reconcile_config(model, "model", {**node, "rnn_size": 128, "channels": [64, 96], "height_px": 16})
    assert "model.rnn_size: 128 in the configuration, 8 in the model" in str(caught.value)
    assert "model.channels: [64, 96] in the configuration, [8, 8] in the model" in str(caught.value)
    assert "height_px" not in str(caught.value) and "model=loaded" in str(caught.value)


def test_preprocessing_is_the_models(model: Model) -> None:
    node = {"_target_": "x", "max_width_px": 99}
    given = Preprocess.from_dict(reconcile_config(model, "preprocess", node))
    assert given == Preprocess(height_px=16, deslant=True, max_width_px=99)
    with pytest.raises(ConfigError, match=r"preprocess\.deslant: False in the configuration, True in the model"):
        reconcile_config(model, "preprocess", {**node, "deslant": False})


def test_where_a_model_is_found(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "run" / "model.safetensors"
    path.parent.mkdir()
    write_model(path, model.network.state_dict(), model.info)
    for where in (path, path.parent):
        assert load_model(where).charset == model.charset
    state = {"state_dict": {f"model.{n}": t for n, t in model.network.state_dict().items()}}
    (tmp_path / "other" / "checkpoints").mkdir(parents=True)
    checkpoint = tmp_path / "other" / "checkpoints" / "best.ckpt"
    torch.save(state | {"htr_lightning": vars(model.info)}, checkpoint)
    assert load_model(tmp_path / "other").info == model.info
    torch.save(state, checkpoint)
    with pytest.raises(ModelFileError, match=r"best\.ckpt: a checkpoint, but not of htr_lightning"):
        load_model(checkpoint)
    checkpoint.write_bytes(b"PK no archive")
    with pytest.raises(ModelFileError, match=r"best\.ckpt: not a complete checkpoint"):
        load_model(tmp_path / "other")
    for where, message in ((tmp_path, "contains no model"), ("zoo:none", "zoo:none: there is no such model")):
        with pytest.raises(ModelFileError, match=message):
            load_model(where)


def test_blocks_from_input_to_output(model: Model) -> None:
    assert list_blocks(model.network) == [
        "backbone.stem",
        "backbone.stages.0",
        "backbone.stages.1",
        "rnn",
        "head",
        "auxiliary_head",
    ]


def test_layer_decay(model: Model) -> None:
    rates = {block.name: block.rate for block in FreezingSchedule(model.network, layer_decay=0.5).summarize_blocks()}
    assert rates == {
        "backbone.stem": 0.0625,
        "backbone.stages.0": 0.125,
        "backbone.stages.1": 0.25,
        "rnn": 0.5,
        "head": 1.0,
        "auxiliary_head": 1.0,
    }


def test_freezing_and_thawing_follow_epoch_and_step(model: Model) -> None:
    freezing = FreezingSchedule(
        model.network.train(), ["backbone", "rnn.weight_ih*"], {"backbone.stages.1": 2}, {"backbone.stages.0": 10}
    )
    frozen = {block.name: block.frozen for block in freezing.summarize_blocks()}
    assert frozen == {
        "backbone.stem": "always",
        "backbone.stages.0": "step 10",
        "backbone.stages.1": "epoch 2",
        "rnn": "partly",
        "head": "",
        "auxiliary_head": "",
    }
    for epoch, step, moving in ((0, 0, set()), (1, 10, {"0"}), (2, 3, {"1"}), (2, 10, {"0", "1"})):
        freezing.apply(epoch, step)
        names = {
            name.split(".")[2] for name, p in model.network.named_parameters() if "stages" in name and p.requires_grad
        }
        assert names == moving
        norms = {
            name.split(".")[2]
            for name, m in model.network.named_modules()
            if "stages" in name and "norm" in name and m.training
        }
        assert norms == moving
    assert not model.network.backbone.stem[1].training
    assert not model.network.rnn.weight_ih_l0.requires_grad and model.network.rnn.weight_hh_l0.requires_grad


@pytest.mark.parametrize(
    ("freeze", "unfreeze", "message"),
    [
        (["backbon"], {}, "stage.freeze: 'backbon' matches nothing; choose from backbone.stem, "),
        (["*"], {}, r"stage.freeze=\['\*'\]: "),
        (["backbone"], {"head": 2}, "stage.unfreeze_epoch.head: .*stage.freeze"),
    ],
)
def test_freezing_that_cannot_be(model: Model, freeze: list[str], unfreeze: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FreezingSchedule(model.network, freeze, unfreeze)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer_decay": 0.0}, "stage.layer_decay=0.0: "),
        ({"unfreeze_epoch": {"head": 0}}, "stage.unfreeze_epoch.head=0: "),
        (
            {"unfreeze_epoch": {"head": 1}, "unfreeze_step": {"head": 1}},
            "stage.unfreeze_step.head: the part is in stage.unfreeze_epoch",
        ),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Finetune(start_from="x", **settings)


def test_texts_of_the_fixture_differ_from_the_models_charset(model: Model) -> None:
    assert build_charset(model, "extend", texts(50)).num_classes > model.charset.num_classes

"""A run folder's configuration runs nothing that its reader does not know."""

import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from htr_lightning.config.compose import compose_unvalidated, list_shipped_targets, resume_config
from htr_lightning.config.schema import ConfigError
from htr_lightning.config.trust import check_targets, read_targets


def check(node: Any, *trusted: str) -> None:
    check_targets(OmegaConf.create({"dataset": node}), list_shipped_targets(), trusted, Path("run/config.yaml"))


@pytest.mark.parametrize(
    "name",
    [
        "pathlib.Path.touch", "os.system", "builtins.eval", "subprocess.run", "stranger.Dataset",
        "htr_lightning.files.os.system", "htr_lightning.files.write_text", "htr_lightning.files.tempfile.mkdtemp",
        "torch.load", "torch.hub.load", "torch.os.system", "torch.utils.cpp_extension.load",
        "torch.nn.modules.module.Any",
        "lightning.pytorch.cli.LightningCLI", "torchvision.datasets.MNIST", "hydra.utils.call",
        "${oc.env:HOME}", "torch", "", "no_such_module.x", "torch.nn.NoSuchThing",
    ],
)  # fmt: skip
def test_functions_of_others_are_refused(name: str) -> None:
    with pytest.raises(ConfigError) as error:
        check({"root": "x", "parts": [{"inner": {"_target_": name}}]})
    assert f"dataset.parts[0].inner._target_={name}" in str(error.value) and f"--trust {name}" in str(error.value)
    assert error.value.kind == "untrusted"


@pytest.mark.parametrize(
    "name",
    [
        "htr_lightning.data.sources.lines.Lines", "htr_lightning.model.crnn.CRNN", "lightning.Trainer", "torch.nn.ReLU",
        "htr_lightning.decode.decoder.build_beam_decoder", "lightning.pytorch.strategies.DDPStrategy",
        "torch.optim.lr_scheduler.ConstantLR",
    ],
)  # fmt: skip
def test_parts_of_this_package_torch_and_lightning_are_allowed(name: str) -> None:
    check({"_target_": name})


def test_the_user_can_vouch_for_a_class_or_a_package() -> None:
    check({"_target_": "letters.Letters"}, "letters.Letters")
    check({"_target_": "letters.data.Letters"}, "letters")
    with pytest.raises(ConfigError):
        check({"_target_": "letters_of_a_stranger.Letters"}, "letters")


def test_own_configuration_files_vouch(tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "letters.yaml").write_text("_target_: letters.Letters\nroot: ???\n")
    (tmp_path / "broken.yaml").write_text("a: [")
    assert read_targets(tmp_path) == {"letters.Letters"}


def test_nothing_is_imported_before_it_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stranger.py").write_text("from pathlib import Path\nPath('RAN').touch()\nclass Dataset: ...\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    now = compose_unvalidated([f"resume={tmp_path}"])
    saved = OmegaConf.to_container(now, resolve=True)
    assert isinstance(saved, dict)
    OmegaConf.save(OmegaConf.create(saved | {"dataset": {"_target_": "stranger.Dataset"}}), tmp_path / "config.yaml")
    with pytest.raises(ConfigError, match="stranger"):
        resume_config(now, [])
    assert not Path("RAN").exists() and "stranger" not in sys.modules
    assert resume_config(now, [], ["stranger.Dataset"]).dataset["_target_"] == "stranger.Dataset"

"""A resumed run takes its own configuration, and of keys that came after it the defaults."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from htr_lightning.config.compose import conf_dir, resume_config
from htr_lightning.config.schema import ConfigError
from htr_lightning.config.validate import validate
from htr_lightning.files import RunFolder
from htr_lightning.training.run_folder import refuse_other_config


def test_a_run_older_than_a_group_goes_on_with_the_default(tmp_path: Path) -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        saved = compose("config", overrides=["optim.lr=0.5"])
        now = compose("config", overrides=[f"resume={tmp_path}", "trainer.max_epochs=7"])
    old = OmegaConf.to_container(saved, resolve=True)
    assert isinstance(old, dict)
    del old["decoder"]
    OmegaConf.save(OmegaConf.create(old), tmp_path / "config.yaml")
    cfg = resume_config(now, ["trainer.max_epochs=7"])
    validate(cfg)
    assert cfg.optim.lr == 0.5 and cfg.trainer.max_epochs == 7
    assert cfg.decoder == now.decoder


def test_a_run_older_than_a_root_key_goes_on_by_itself_with_the_default_only(tmp_path: Path) -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        saved, other = compose("config"), compose("config", overrides=["consistency_weight=0.2"])
    old = OmegaConf.to_container(saved, resolve=True)
    assert isinstance(old, dict)
    del old["consistency_weight"]
    OmegaConf.save(OmegaConf.create(old), tmp_path / "config.yaml")
    refuse_other_config(RunFolder(tmp_path), saved)
    with pytest.raises(ConfigError, match=r"consistency_weight: 0\.0 in the run, 0\.2 now"):
        refuse_other_config(RunFolder(tmp_path), other)


def test_texts_of_the_run_are_used_as_typed(tmp_path: Path) -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        saved = compose("config", overrides=["dataset=lines", "dataset.root=x"])
        now = compose("config", overrides=[f"resume={tmp_path}", "++dataset.root=2024_05", "seed=2_0"])
    OmegaConf.save(saved, tmp_path / "config.yaml")
    cfg = resume_config(now, ["++dataset.root=2024_05", "seed=2_0"])
    assert cfg.dataset.root == "2024_05" and cfg.seed == 20


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00", b"- 1"])
def test_a_damaged_configuration_is_named(content: bytes, tmp_path: Path) -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        now = compose("config", overrides=[f"resume={tmp_path}"])
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        resume_config(now, [])

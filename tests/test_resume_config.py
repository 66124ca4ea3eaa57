"""A resumed run takes its own configuration, and of keys that came after it the defaults."""

from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from htr_lightning.cli import resumed
from htr_lightning.config import conf_dir, validate


def test_a_run_older_than_a_group_goes_on_with_the_default(tmp_path: Path) -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        saved = compose("config", overrides=["optim.lr=0.5"])
        now = compose("config", overrides=[f"resume={tmp_path}", "trainer.max_epochs=7"])
    old = OmegaConf.to_container(saved, resolve=True)
    assert isinstance(old, dict)
    del old["decoder"]
    OmegaConf.save(OmegaConf.create(old), tmp_path / "config.yaml")
    cfg = resumed(now, ["trainer.max_epochs=7"])
    validate(cfg)
    assert cfg.optim.lr == 0.5 and cfg.trainer.max_epochs == 7
    assert cfg.decoder == now.decoder

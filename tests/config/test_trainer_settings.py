"""Settings that Lightning takes and a run of this package does not are refused in a sentence."""

import pytest

from htr_lightning.config.compose import compose_config
from htr_lightning.config.schema import ConfigError

REFUSED = [
    "trainer.precision=16-true", "trainer.precision=bf16-true", "trainer.precision=64-true", "trainer.precision=64",
    "++trainer.strategy=fsdp", "++trainer.strategy=deepspeed", "++trainer.strategy=ddp_spawn",
    "++trainer.strategy=ddp_notebook", "++trainer.limit_train_batches=0", "++trainer.limit_val_batches=0",
    "++trainer.limit_val_batches=0.0", "++trainer.val_check_interval=0", "++trainer.check_val_every_n_epoch=0",
    "trainer.accumulate_grad_batches=0", "trainer.log_every_n_steps=-1", "++trainer.enable_checkpointing=false",
    "++trainer.barebones=true", "++trainer.reload_dataloaders_every_n_epochs=1", "++trainer.limit_predict_batches=0",
    "++trainer.model_registry=me/model", "++trainer.check_val_every_n_epoch=30", "early_stopping=0",
    "auxiliary_weight=-0.1", "optim.lr=nan", "optim.lr=inf",
]  # fmt: skip
TOGETHER = [
    (["trainer.max_epochs=-1", "++trainer.max_steps=5", "++trainer.check_val_every_n_epoch=null",
      "++trainer.val_check_interval=6"], "trainer.max_steps"),
    (["trainer=cpu", "++trainer.sync_batchnorm=true"], "trainer.sync_batchnorm"),
    (["trainer.devices=2", "auxiliary_weight=0"], "trainer.strategy"),
    (["trainer.devices=2", "++trainer.strategy=ddp", "stage=finetune", "stage.start_from=x", "stage.freeze=[backbone]"],
     "trainer.strategy"),
]  # fmt: skip


@pytest.mark.parametrize("override", REFUSED)
def test_a_setting_that_does_not_fit_is_named(override: str) -> None:
    key = override.lstrip("+").partition("=")[0]
    place = "trainer.max_epochs" if override.endswith("epoch=30") else key
    with pytest.raises(ConfigError) as error:
        compose_config([override])
    assert str(error.value).startswith(f"{place}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize(("overrides", "key"), TOGETHER)
def test_settings_that_contradict_each_other(overrides: list[str], key: str) -> None:
    with pytest.raises(ConfigError) as error:
        compose_config(overrides)
    assert str(error.value).startswith(f"{key}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "overrides",
    [
        ["trainer.precision=32"], ["trainer.precision=bf16-mixed"], ["trainer.precision=16-mixed"],
        ["++trainer.strategy=ddp"], ["trainer=ddp"], ["trainer=debug"], ["trainer=overfit"], ["trainer.max_epochs=0"],
        ["++trainer.limit_test_batches=0"], ["++trainer.limit_val_batches=0.5"], ["trainer.devices=2"],
        ["++trainer.val_check_interval=0.5"], ["trainer=ddp", "auxiliary_weight=0"], ["++trainer.max_time=00:01:00:00"],
        ["++trainer.num_sanity_val_steps=0"], ["++trainer.fast_dev_run=true", "++trainer.check_val_every_n_epoch=30"],
        ["++trainer.max_steps=5", "trainer.max_epochs=-1", "++trainer.check_val_every_n_epoch=null",
         "++trainer.val_check_interval=10", "trainer.accumulate_grad_batches=2"],
    ],
)  # fmt: skip
def test_settings_that_fit(overrides: list[str]) -> None:
    assert compose_config(overrides)

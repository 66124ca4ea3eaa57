"""Runs and sweeps that are started in the same second have folders of their own."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from htr_lightning.config.compose import conf_dir
from htr_lightning.config.new_folder import NewFolder, make_new_folder


def test_each_of_many_at_once_makes_its_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make_new_folder, [tmp_path / "day" / "12-00-00-dev"] * 40))
    assert len(set(made)) == 40 and all(folder.is_dir() for folder in made)
    assert {"12-00-00-dev", "12-00-00-dev-2", "12-00-00-dev-40"} <= {folder.name for folder in made}


def start(*overrides: str) -> tuple[str, str]:
    """Return the folders of a run and of a sweep as Hydra composes them when they start."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("config", overrides=list(overrides), return_hydra_config=True)
    NewFolder().on_run_start(cfg)
    NewFolder().on_multirun_start(cfg)
    return str(cfg.hydra.run.dir), str(cfg.hydra.sweep.dir)


def test_folders_named_after_the_time_are_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run, sweep = start()
    assert Path(run).is_dir() and Path(sweep).is_dir()
    make_new_folder(Path(run))  # another one that was started in the same second
    assert len(list(Path(run).parent.glob("*-dev*"))) == 2


@pytest.mark.parametrize("override", ["hydra.run.dir=mine", "resume=auto", "resume=runs/x"])
def test_folders_that_the_user_names_stay(override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run, _ = start(override)
    assert run in ("mine", "runs/dev", "runs/x") and not Path(run).exists()

"""Folders and names are used as they are typed."""

import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from htr_lightning.cli import train
from htr_lightning.cli.arguments import parse_arguments
from htr_lightning.config.compose import check_composition, compose_or_none, compose_unvalidated, list_groups
from htr_lightning.config.overrides import quote_texts
from htr_lightning.config.schema import ConfigError

TYPED = [
    "1923456", "2024_05", "1e5", "007", "1.0", ".5", "true", "No", "null", "inf", "Été 1923", "Été 1923", "日本",
    "a=b", "scan (2024)", "x[1]", "[2024]", "{a}", "lot#1", "bob's", 'say "x"', "a, b", "a:b", " x", "~x", "-1", "100%",
    "a & b", "a;b", "<x>", "C:\\scans\\", "x!", "`x`",
]  # fmt: skip


@pytest.mark.parametrize("text", TYPED)
def test_a_folder_is_used_as_typed(text: str) -> None:
    cfg = compose_unvalidated(["dataset=lines", f"dataset.root={text}", f"run_name={text}"])
    assert cfg.dataset.root == text and cfg.run_name == text


def quoted(*overrides: str, is_sweep: bool = False) -> list[str]:
    return quote_texts(overrides, list(list_groups()), compose_or_none, is_sweep=is_sweep)


@pytest.mark.parametrize(
    "override",
    [
        "trainer.max_epochs=3", "optim.lr=1e-3", "seed=1", "resume=null", "dataset.root='x y'", 'run_name="5"',
        "optim.milestones=[0.5,0.7]", "+model.rnn_layers=int(interval(1,3))", "optim.lr=tag(log,interval(1e-4,1e-2))",
        "run_name=${oc.env:USER}", "run_name=str(2024)", "~dataset.root", "dataset=lines", "trainer.precision=16",
        "hydra/launcher=workstation", "dataset@dataset.sources.real=peraire", "compile=true",
    ],
)  # fmt: skip
def test_what_is_no_text_or_written_for_hydra_stays(override: str) -> None:
    assert quoted(override, is_sweep="interval" in override) == [override]
    assert OverridesParser.create().parse_override(override)


def test_lists_of_texts() -> None:
    lists = ["dataset.region_types=[1923,Été 2,'a,b']", "languages=[1]"]
    cfg = compose_unvalidated(["dataset=alto", "dataset.root=x", *lists])
    assert list(cfg.dataset.region_types) == ["1923", "Été 2", "a,b"] and list(cfg.languages) == ["1"]


def test_values_of_a_sweep() -> None:
    assert quoted("run_name=2024_05,Été", "seed=1,2", "optim.lr=1e-3,3e-3", is_sweep=True) == [
        "run_name='2024_05','Été'",
        "seed=1,2",
        "optim.lr=1e-3,3e-3",
    ]


def test_options_of_groups_are_texts(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "2024_05.yaml").write_text("# @package _global_\nseed: 7\n")
    assert compose_unvalidated(["+experiment=2024_05"], tmp_path).seed == 7


@pytest.mark.parametrize(
    "override", ["x", "a b", "=true", "\u202e\x01", "dataset={a:1}", "~=[1,2,3]", "~dataset=[1]", "~dataset=3"]
)
def test_what_hydra_cannot_take_is_refused_in_one_sentence(override: str) -> None:
    for call in (parse_arguments, compose_unvalidated):
        with pytest.raises(ConfigError) as error:
            call(["dataset=lines", override])
        assert error.value.key.strip("=") in override and "\n" not in str(error.value)


WRONG = [
    (["trainer.max_steps=5"], "trainer.max_steps", "5", "+trainer.max_steps=5"),
    (["logger=foo"], "logger", "foo", "choose from csv, mlflow, tensorboard, wandb"),
    (["logger=[csv,foo]"], "logger", "foo", "choose from csv, mlflow, tensorboard, wandb"),
    (["+experiment=foo"], "experiment", "foo", "finetune_iam, finetune_lines"),
    (["hydra/sweeper=foo"], "hydra/sweeper", "foo", "study"),
    (["seed=abc"], "seed", "abc", "a whole number"),
    (["seed=1", "+trainer.max_epochs=3"], "+trainer.max_epochs", "3", ": trainer.max_epochs=3"),
    (["+model=crnn"], "+model", "crnn", ": model=crnn"),
    (["experiment=demo"], "experiment", "demo", "+experiment=demo"),
    (["~model.depth", "seed=2"], "~model.depth", None, "leave it out"),
    (["dataset.num_trainn=4", "dataset=synthetic"], "dataset.num_trainn", "4", "did you mean dataset.num_train?"),
    (["model=crnn", "model.rnn_sise=4"], "model.rnn_sise", "4", "did you mean"),
    (["model.depth=4"], "model.depth", "4", "choose from"),
    (["optim.lr.low=3"], "optim.lr.low", "3", "set optim.lr="),
    (["sead=3"], "sead", "3", "did you mean seed?"),
    (["a.b.c=4"], "a.b.c", "4", "+a.b.c=4"),
]


@pytest.mark.parametrize(("overrides", "key", "value", "remedy"), WRONG)
def test_what_hydra_cannot_compose_is_explained(
    overrides: list[str], key: str, value: str | None, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["htr_lightning", *overrides])
    for call, kind in ((lambda: compose_unvalidated(overrides), ConfigError), (train.main, SystemExit)):
        with pytest.raises(kind) as error:
            call()
        place = f"{key}={value}" if value is not None else key
        assert str(error.value).startswith(f"{place}: ") and remedy in str(error.value).rpartition(";")[2]
        assert "\n" not in str(error.value)


def test_the_first_values_of_a_sweep_are_composed() -> None:
    check_composition(["seed=1,2", "+model.rnn_layers=int(interval(1,3))", "optim.lr=choice(1,2)"], None, is_sweep=True)
    for wrong in ("model=foo,crnn", "model=crnn,foo", "optim.lrr=1,2"):
        with pytest.raises(ConfigError):
            check_composition(["seed=1,2", wrong], None, is_sweep=True)

"""Folders and names are used as they are typed."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from htr_lightning.cli.arguments import parse_arguments
from htr_lightning.config.compose import compose_or_none, compose_unvalidated, list_groups
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


@pytest.mark.parametrize("override", ["x", "a b", "=true", "\u202e\x01", "dataset={a:1}"])
def test_what_hydra_cannot_take_is_refused_in_one_sentence(override: str) -> None:
    for call in (parse_arguments, compose_unvalidated):
        with pytest.raises(ConfigError) as error:
            call(["dataset=lines", override])
        assert error.value.key.strip("=") in override and "\n" not in str(error.value)

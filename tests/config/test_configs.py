import shlex

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from htr_lightning.config.build import build, unwrap_errors
from htr_lightning.config.compose import conf_dir, list_groups
from htr_lightning.config.schema import ConfigError
from htr_lightning.config.validate import validate
from htr_lightning.model.line_finder import LineFinder
from htr_lightning.model.network_check import check_network

GROUPS = list_groups()
EXPERIMENTS = GROUPS.pop("experiment")
OPTIONS = [(group, option) for group, options in GROUPS.items() for option in options]


def composed_from(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("config", overrides=list(overrides))
    if OmegaConf.is_missing(cfg.dataset, "root"):
        cfg.dataset.root = "somewhere"
    if OmegaConf.is_missing(cfg.stage, "start_from"):
        cfg.stage.start_from = "somewhere"
    return cfg


def problems(*overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        validate(composed_from(*overrides))
    return str(caught.value).splitlines()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_names_only_real_parameters(name: str) -> None:
    validate(composed_from(f"+experiment={name}"))


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_names_only_real_parameters(group: str, option: str) -> None:
    validate(composed_from(f"{group}={option}"))


@pytest.mark.parametrize("option", [option for option in GROUPS["model"] if option not in ("loaded", "line_finder")])
def test_every_model_can_be_built_and_fits_its_preprocessing(option: str) -> None:
    cfg = composed_from(f"model={option}")
    model = build(cfg.model)(10)
    check_network(model, 10)
    assert model.height_px == build(cfg.preprocess).height_px
    assert type(model.arguments["channels"]) is list


def test_the_line_finder_can_be_built_and_has_its_parts() -> None:
    model = build(composed_from("+experiment=find_lines").model)
    assert type(model) is LineFinder and type(model.arguments["channels"]) is list
    parameters = dict(model.named_parameters())
    for name in (*model.blocks(), *model.heads):
        assert any(parameter.startswith(f"{name}.") for parameter in parameters), name


def test_only_finetuning_has_a_loaded_model() -> None:
    with unwrap_errors(), pytest.raises(ConfigError, match="model=loaded: no model is loaded"):
        build(composed_from("model=loaded").model)(10)


@pytest.mark.parametrize("group", ["augment", "optim", "stage", "trainer"])
def test_every_other_option_can_be_built(group: str) -> None:
    for option in set(GROUPS[group]) - {"gpu"}:
        build(composed_from(f"{group}={option}")[group])


def test_all_problems_are_reported_at_once_by_their_full_key() -> None:
    found = problems("+trainer.max_epoch=3", "+model.chanels=[1]", "dataset.seed=x", "+nonsense=1")
    assert any(p.startswith("trainer.max_epoch: ") and "did you mean 'max_epochs'?" in p for p in found)
    assert any(p.startswith("model.chanels: ") and "did you mean 'channels'?" in p for p in found)
    assert any(p.startswith("dataset.seed: 'x' is not a whole number") for p in found)
    assert len(found) == 4


@pytest.mark.parametrize(
    "override",
    [
        "loader.max_skipped=3",
        "loader.cache_dir=x",
        "loader.max_shared=1",
        "preprocess.max_pixels=1000",
        "preprocess.max_width_px=9",
        "optim.lr=1",
        "trainer.precision=32-true",
    ],
)
def test_what_messages_advise_can_be_typed_as_it_stands(override: str) -> None:
    validate(composed_from(override))


@pytest.mark.parametrize(
    "override",
    [
        "dataset=lines dataset.manifest=a.tsv",
        "dataset=mnist dataset.download=true",
        "dataset=alto dataset.images=x dataset.train=x dataset.line_types=[default] +dataset.spans.gap=delete",
        "dataset=page_xml \"dataset.replace=[['>[^<]*<','']]\" dataset.group_pattern=w",
        "dataset=iam dataset.text=ascii dataset.image=forms dataset.split=aachen",
        "dataset=hub dataset.root=x dataset.image_column=im dataset.split_column=gen_split",
        "dataset=mix dataset@dataset.sources.real=peraire",
        "dataset=mix +dataset@dataset.sources.more=peraire ++dataset.weights.more=1",
        "dataset=read2016 dataset.with_test=false",
        "dataset=bentham dataset.from_pages=true",
    ],
)
def test_what_messages_advise_of_data_sets_can_be_typed_too(override: str) -> None:
    validate(composed_from(*shlex.split(override)))


def test_a_list_without_brackets() -> None:
    (problem,) = problems("dataset=alto", "dataset.line_types=default")
    assert problem == "dataset.line_types: 'default' is not a list; write it in brackets: [...]"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("optim.lr=fast", "optim.lr: 'fast' is not a number"),
        ("+optim.clip_norm=x", "optim.clip_norm: 'x' is not a number or null"),
        ("+optim.schedule=x", "optim.schedule: 'x' is not one of one_cycle, cosine, multi_step, constant"),
        ("+preprocess.deslant=1", "preprocess.deslant: 1 is not true or false"),
    ],
)
def test_a_value_of_another_type(override: str, expected: str) -> None:
    assert problems(override) == [expected]


def test_what_the_run_sets_cannot_be_set() -> None:
    wrong = ["+loader.seed=3", "seed=-1", "consistency_weight=-1", "trainer.max_epochs=-1"]
    found = problems("+trainer.gradient_clip_val=1", *wrong)
    assert found[:2] == [
        "trainer.gradient_clip_val: set by the run; use optim.clip_norm",
        "loader.seed: set by the run; use seed",
    ]
    assert [problem.split(" ")[:2] for problem in found[2:5]] == [
        ["seed:", "-1"],
        ["consistency_weight:", "-1.0"],
        ["trainer.max_epochs:", "-1"],
    ]


def test_missing_values_and_choices() -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("config", overrides=["dataset=lines", "+preprocess.binarize=adaptive"])
    with pytest.raises(
        ConfigError, match=r"(?s)dataset\.root: required; set dataset\.root=.*preprocess\.binarize: 'adap"
    ):
        validate(cfg)


def test_a_target_that_cannot_be_imported() -> None:
    assert any("dataset._target_: cannot import 'no.such'" in p for p in problems("dataset._target_=no.such"))


@pytest.mark.parametrize("target", ["{a:1}", "[x]", "3"])
def test_a_target_that_is_no_name(target: str) -> None:
    with pytest.raises(ConfigError, match=r"dataset\.sources\.a\._target_: .* is not the import path"):
        validate(composed_from("dataset=mix", f"+dataset.sources.a._target_={target}"))

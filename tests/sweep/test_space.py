import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from htr_lightning.config.schema import ConfigError
from htr_lightning.sweep.space import cover_choices, format_overrides, parse_space


def parsed(*written: str) -> tuple[list[str], dict[str, object]]:
    fixed, drawn = parse_space(OverridesParser.create().parse_overrides(list(written)))
    return fixed, dict(drawn)


def test_what_is_written_becomes_what_is_drawn() -> None:
    fixed, drawn = parsed(
        "+experiment=copiste",
        "~stage.freeze",
        "optim.lr=tag(log,interval(1e-4,1e-2))",
        "optim.warmup=interval(0,0.5)",
        "++model.rnn_layers=int(interval(1,3))",
        "model=crnn,crnn_small",
        "seed=range(1,10,3)",
        "a=range(0,1,0.25)",
    )
    assert fixed == ["+experiment=copiste", "~stage.freeze"]
    assert drawn == {
        "optim.lr": FloatDistribution(1e-4, 1e-2, log=True),
        "optim.warmup": FloatDistribution(0, 0.5),
        "++model.rnn_layers": IntDistribution(1, 3),
        "model": CategoricalDistribution(["crnn", "crnn_small"]),
        "seed": IntDistribution(1, 7, step=3),
        "a": FloatDistribution(0, 0.75, step=0.25),
    }


def test_draws_are_written_as_overrides() -> None:
    assert format_overrides({"optim.lr": 1e-3, "++model.rnn_layers": 2, "model": "crnn"}) == [
        "optim.lr=0.001",
        "++model.rnn_layers=2",
        "model=crnn",
    ]


def test_every_category_is_checked_once() -> None:
    _, drawn = parsed("model=a,b,c", "seed=1,2", "optim.lr=interval(1,2)")
    draws = [(draw["model"], draw["seed"]) for draw in cover_choices(drawn)]  # type: ignore[arg-type]
    assert draws == [("a", "1"), ("b", "1"), ("c", "1"), ("a", "2")]


@pytest.mark.parametrize("written", [["seed=1"], ["seed=1", "model=glob(*)"]])
def test_nothing_to_draw_or_a_pattern_is_refused(written: list[str]) -> None:
    with pytest.raises(ConfigError, match="hydra/sweeper=study"):
        parsed(*written)


@pytest.mark.parametrize("written", ["a=interval(5,1)", "a=tag(log,interval(0,1e-2))"])
def test_what_cannot_be_drawn_from_is_a_sentence(written: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be sampled.*; write interval"):
        parsed(written)


def test_a_range_may_go_down() -> None:
    assert parsed("a=range(10,1,-3)")[1] == {"a": IntDistribution(4, 10, step=3)}

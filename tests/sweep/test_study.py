from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from lightning.pytorch.trainer.states import TrainerFn
from optuna.distributions import CategoricalDistribution, FloatDistribution

from htr_lightning.config.schema import ConfigError
from htr_lightning.sweep.study import _neighbors, open_study, sweep, trial_url
from htr_lightning.training.pruning import TrialReporter, load_trial

SPACE = {"x": FloatDistribution(0, 1)}


def new_study(folder: Path, sampler: str = "random", pruner: str = "median") -> optuna.Study:
    return open_study(f"sqlite:///{folder / 'study.db'}", sampler, pruner, 1, seed=1)


def overrides_of(number: int, params: Mapping[str, Any]) -> list[str]:
    return [str(number), str(params["x"])]


def run(study: optuna.Study, launch: Any, num_trials: int, num_parallel: int = 1) -> None:
    sweep(study, SPACE, overrides_of, launch, num_trials=num_trials, num_parallel=num_parallel)


def test_trials_are_launched_together_and_told(tmp_path: Path) -> None:
    launched: list[tuple[int, int]] = []

    def launch(batch: Sequence[Sequence[str]], first: int) -> list[float | str | None]:
        launched.append((first, len(batch)))
        assert [int(number) for number, _ in batch] == list(range(first, first + len(batch)))
        return [{1: None, 2: "pruned"}.get(int(number), float(x)) for number, x in batch]

    run(study := new_study(tmp_path), launch, 5, num_parallel=2)
    assert launched == [(0, 2), (2, 2), (4, 1)]
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL", "PRUNED", "COMPLETE", "COMPLETE"]
    assert study.best_value == min(trial.value for trial in study.trials if trial.value is not None)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_sweep_that_was_killed_goes_on(tmp_path: Path, sampler: str) -> None:
    class Killed(BaseException):
        pass

    seen: list[tuple[str, str]] = []

    def launch(batch: Sequence[Sequence[str]], first: int) -> list[float | str | None]:
        seen.extend((number, x) for number, x in batch)
        if len(seen) == 3:
            raise Killed
        return [float(x) for _, x in batch]

    with pytest.raises(Killed):
        run(new_study(tmp_path, sampler), launch, 6)
    run(study := new_study(tmp_path, sampler), launch, 6)
    assert seen[2] == seen[3] and [int(number) for number, _ in seen] == [0, 1, 2, 2, 3, 4, 5]
    assert len({x for _, x in seen}) == 6
    assert all(trial.state.name == "COMPLETE" for trial in study.trials)
    run(study, launch, 6)
    assert len(seen) == 7


def test_failed_trials_are_made_up_for_when_the_sweep_is_started_again(tmp_path: Path) -> None:
    def failing(batch: Sequence[Sequence[str]], first: int) -> list[float | str | None]:
        return [None] * len(batch)

    def sound(batch: Sequence[Sequence[str]], first: int) -> list[float | str | None]:
        return [float(x) for _, x in batch]

    run(new_study(tmp_path), failing, 3)
    run(study := new_study(tmp_path), sound, 3)
    assert [trial.state.name for trial in study.trials] == ["FAIL"] * 3 + ["COMPLETE"] * 3


def test_a_trial_that_always_ends_the_sweep_is_given_up(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def launch(batch: Sequence[Sequence[str]], first: int) -> list[float | str | None]:
        if first == 0:
            raise Killed
        return [float(x) for _, x in batch]

    for _ in range(3):
        with pytest.raises(Killed):
            run(new_study(tmp_path), launch, 2)
    run(study := new_study(tmp_path), launch, 2)
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE", "COMPLETE"]


def test_other_choices_need_another_folder(tmp_path: Path) -> None:
    def launch(batch: Sequence[Sequence[str]], first: int) -> list[float | str | None]:
        return [0.5] * len(batch)

    for choices in (["a", "b"], ["a", "c"]):
        study, space = new_study(tmp_path), {"x": CategoricalDistribution(choices)}
        if "c" not in choices:
            sweep(study, space, overrides_of, launch, num_trials=1, num_parallel=1)
            continue
        with pytest.raises(ConfigError, match=r"another search space .*use another folder"):
            sweep(study, space, overrides_of, launch, num_trials=2, num_parallel=1)


def test_neighbors_go_on_together() -> None:
    trials = [SimpleNamespace(number=number) for number in (1, 2, 3, 5, 6)]
    groups = _neighbors(trials, 2)  # type: ignore[arg-type]
    assert [[trial.number for trial in group] for group in groups] == [[1, 2], [3], [5, 6]]


def test_a_trial_counts_its_validations(tmp_path: Path) -> None:
    study = new_study(tmp_path)
    study.ask(SPACE)
    report = TrialReporter(load_trial(trial_url(f"sqlite:///{tmp_path / 'study.db'}", 0)))
    trainer: Any = SimpleNamespace(
        sanity_checking=False,
        state=SimpleNamespace(fn=TrainerFn.FITTING),
        is_global_zero=True,
        global_step=7,
        callback_metrics={"val/cer": 0.5},
        strategy=SimpleNamespace(broadcast=lambda verdict: verdict),
    )
    for _ in range(3):
        report.on_validation_end(trainer, None)  # type: ignore[arg-type]
    again = TrialReporter(report.trial)
    again.load_state_dict(report.state_dict() | {"reported": 2})
    trainer.callback_metrics["val/cer"] = 0.4
    again.on_validation_end(trainer, None)  # type: ignore[arg-type]
    again.on_validation_end(trainer, None)  # type: ignore[arg-type]
    assert study.trials[0].intermediate_values == {0: 0.5, 1: 0.5, 2: 0.5, 3: 0.4}


def test_a_hopeless_trial_sees_it(tmp_path: Path) -> None:
    verdicts: list[bool] = []

    def launch(batch: Sequence[Sequence[str]], first: int) -> list[float | str | None]:
        trial = load_trial(trial_url(f"sqlite:///{tmp_path / 'study.db'}", first))
        cer = 0.9 if first == 5 else 0.2 - first / 100
        for epoch in range(4):
            trial.report(cer, epoch)
            if trial.should_prune():
                verdicts.append(True)
                return ["pruned"]
        return [cer]

    run(study := new_study(tmp_path), launch, 6)
    assert verdicts == [True] and study.trials[5].state.name == "PRUNED" and study.trials[5].value == 0.9


def test_unknown_names_and_trials_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.sampler: 'tpee' is unknown; choose from tpe, random"):
        new_study(tmp_path, sampler="tpee")
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.storage: .* cannot be opened"):
        new_study(tmp_path / "missing")
    new_study(tmp_path)
    with pytest.raises(ConfigError, match=r"trial=.*study.db#7: .*cannot be found"):
        load_trial(trial_url(f"sqlite:///{tmp_path / 'study.db'}", 7))


def test_a_damaged_study_is_named(tmp_path: Path) -> None:
    run(new_study(tmp_path), lambda batch, first: [0.5 for _ in batch], 3)
    path = tmp_path / "study.db"
    good = path.read_bytes()
    page = len(good) // 4096 // 2 * 4096
    for damaged in (good[: len(good) // 2], good[:page] + bytes(4096) + good[page + 4096 :], b"no database" * 500):
        path.write_bytes(damaged)
        with pytest.raises(ConfigError, match="the study is damaged") as error:
            new_study(tmp_path)
        assert error.value.kind == "damaged" and str(path) in str(error.value)
    path.write_bytes(good)
    assert len(new_study(tmp_path).trials) == 3

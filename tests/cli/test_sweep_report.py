import json
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from htr_lightning.cli import sweep_report as report
from htr_lightning.config.compose import compose_config
from htr_lightning.sweep.importance import compute_importance, parse_numbers
from htr_lightning.sweep.trials import find_varied_keys, read_trials


def write_trial(sweep: Path, number: int, cer: float | None, *overrides: str, pruned: bool = False) -> None:
    """Write the folder of a trial: done with a CER, failed without, or ended with one."""
    folder = sweep / f"{number}-dev"
    (folder / "csv" / "version_0").mkdir(parents=True)
    said = ["resume=auto", *overrides]
    rows = "".join(f"{step},{value}\n" for step, value in enumerate((1.0, (cer or 0.5) + 0.1, cer or 0.5)))
    (folder / "csv" / "version_0" / "metrics.csv").write_text(f"step,val/cer\n{rows}")
    if cer is None or pruned:
        name, message = ("pruned", "ended after epoch 2") if pruned else ("failed", "optim: warmup <b>(2)</b>")
        (folder / f"{name}.json").write_text(json.dumps({"message": message, "overrides": said}))
        return
    choices = {"dataset": "synthetic", "model": "crnn_small", "experiment": None}
    choices |= {key: value for key, value in (o.split("=") for o in overrides) if key == "model"}
    run = {"overrides": said, "choices": choices, "start": "2026-01-01T10:00:00", "end": "2026-01-01T10:03:30"}
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "result.json").write_text(json.dumps({"val/cer": cer, "test/cer": cer + 0.01}))
    (folder / "model.safetensors").touch()
    OmegaConf.save(compose_config(said), folder / "config.yaml", resolve=True)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Ten trials that are done, the best with model=crnn, one that failed, one that was ended."""
    for number in range(10):
        lr, model = 10 ** (-4 + number / 5), "crnn_small" if number % 2 else "crnn"
        said = [f"optim.lr={lr:.6g}", f"model={model}", "++optim.ema_decay=0.9"]
        write_trial(tmp_path, number, 0.1 + abs(number - 6) / 100, *said)
    write_trial(tmp_path, 10, None, "optim.lr=1", "model=crnn", "++optim.ema_decay=0.9")
    write_trial(tmp_path, 11, 0.05, "optim.lr=0.01", "model=crnn", "++optim.ema_decay=0.9", pruned=True)
    (tmp_path / "experiment").mkdir()
    return tmp_path


def test_report_shows_all_and_writes_the_best(
    sweep: Path, capsys: pytest.CaptureFixture[str], elements_of: Callable[[str], set[str]]
) -> None:
    report.main([str(sweep)])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["trial", "state", "val", "CER", "test", "CER", "minutes", "optim.lr", "model"]
    assert printed[1].split() == ["6", "done", "10.00", "%", "11.00", "%", "3.5", "0.001585", "crnn"]
    assert any(line.split()[:2] == ["11", "pruned"] for line in printed)
    assert any(line == "10 failed: optim: warmup <b>(2)</b>" for line in printed)
    page = (sweep / "report.html").read_text()
    assert {"svg", "polyline", "table"} <= elements_of(page)
    assert "12 trials: 10 done, 1 pruned, 1 failed" in page and "warmup &lt;b&gt;(2)" in page
    assert page.count('class="best"') == 3 and "http" not in page.replace("http://www.w3.org/2000/svg", "")
    cfg = compose_config(["+experiment=best"], sweep)
    cfg.resume = "auto"
    assert cfg == OmegaConf.load(sweep / "6-dev" / "config.yaml")
    assert len((sweep / "experiment" / "best.yaml").read_text().splitlines()) < 20


def test_what_is_varied_and_what_mattered(sweep: Path) -> None:
    trials = read_trials(sweep)
    assert find_varied_keys(trials) == ["optim.lr", "model"]
    importances = compute_importance(trials, ["optim.lr", "model"])
    assert importances is not None and importances["optim.lr"] > importances["model"]
    assert sum(importances.values()) == pytest.approx(1)
    assert compute_importance(trials[:5], ["optim.lr"]) is None
    assert parse_numbers(["1", "x"]) is None and parse_numbers(["nan"]) is None


def test_a_sweep_without_an_end_can_be_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "0-dev").mkdir()
    report.main([str(tmp_path)])
    assert "unfinished" in capsys.readouterr().out and not (tmp_path / "experiment").exists()


@pytest.mark.parametrize(("make", "said"), [(False, "no such folder"), (True, "no trials")])
def test_what_is_no_sweep_is_a_sentence(tmp_path: Path, make: bool, said: str) -> None:
    if make:
        (tmp_path / "s").mkdir()
    with pytest.raises(SystemExit, match=said):
        report.main([str(tmp_path / "s")])


@pytest.mark.parametrize("name", ["2026-11-29", "18-04-43-dev"])
def test_a_folder_of_single_runs_is_not_a_sweep(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(SystemExit, match="no trials"):
        report.main([str(tmp_path)])
    assert not (tmp_path / "report.html").exists()

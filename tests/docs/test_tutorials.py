"""The tutorials and the notebook run from top to bottom, from their very text."""

import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from helpers.documentation import REPOSITORY, find_block, list_blocks, list_commands, write_files
from helpers.typesetting import texts, typeset

import htr_lightning.__main__
import htr_lightning.training.run
from htr_lightning.config.compose import compose_config
from htr_lightning.metrics import edit_distance

SHORT = ["trainer=cpu", "+trainer.enable_progress_bar=false", "loader.cache_dir=packed", "loader.max_shared=1"]


def find_arguments(page: str) -> list[list[str]]:
    """Return the arguments of the commands of a page."""
    lines = [line.removeprefix("python -m htr_lightning ") for _, line in list_commands(REPOSITORY / page)]
    return [shlex.split(line, comments=True) for line in lines if line]


def train(arguments: Sequence[str], folder: Path) -> str:
    command = [sys.executable, "-m", "htr_lightning", *arguments]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Run a command in this process, in a new folder, and return what it printed."""
    monkeypatch.chdir(tmp_path)

    def run_command(arguments: Sequence[str]) -> str:
        monkeypatch.setattr(sys, "argv", ["htr_lightning", *arguments])
        capsys.readouterr()
        try:
            htr_lightning.__main__.main()
        except SystemExit as end:
            assert end.code in (None, 0), (arguments, end.code, capsys.readouterr().err)
        return capsys.readouterr().out

    return run_command


def write_lines(folder: Path, **numbers: int) -> None:
    """Write typeset lines, and a table of each split."""
    for seed, (split, number) in enumerate(numbers.items()):
        (folder / split).mkdir(parents=True)
        rows = ["image\ttext"]
        for i, text in enumerate(texts(number, seed)):
            typeset(text).save(folder / split / f"{i}.png")
            rows.append(f"{split}/{i}.png\t{text}")
        (folder / f"{split}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")


PARTS = [words for words in find_arguments("docs/howto/parts.md") if words[0] != "predict"]


@pytest.mark.parametrize("arguments", PARTS, ids=" ".join)
def test_a_part_of_ones_own(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files("docs/howto/parts.md", tmp_path)
    write_lines(tmp_path / "my_lines", train=8, val=4, test=2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    few = [*SHORT, "+loader.num_pack_workers=1", "dataset=lines", "dataset.root=my_lines", "trainer.max_epochs=2"]
    scores = htr_lightning.training.run.run(compose_config([*arguments, *few]), tmp_path / "run")
    if "my_logger" in " ".join(arguments):
        assert capsys.readouterr().out.count(": val CER ") == 2 and not (tmp_path / "run" / "tensorboard").exists()
    assert "test/cer" in scores and ("test/digits" in scores) == ("my_metric" in " ".join(arguments))


def test_parts_are_short_and_the_others_run(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    page = REPOSITORY / "docs" / "howto" / "parts.md"
    blocks = [block for block in list_blocks(page) if block.title]
    assert len(PARTS) == 9 and len(blocks) == 9
    for block in blocks:
        if block.title not in ("by_hand.py", "read_digits.py"):
            assert len([line for line in block.code.splitlines() if line.strip()]) <= 15, block.title
    write_files("docs/howto/parts.md", tmp_path)
    write_lines(tmp_path / "my_lines", train=8, val=4, test=2)
    shutil.copy(REPOSITORY / "docs" / "images" / "letter.jpg", tmp_path / "page.jpg")
    typeset("bel ami").save(tmp_path / "line.png")
    (pages,) = [words for words in find_arguments("docs/howto/parts.md") if words[0] == "predict"]
    train(pages, tmp_path)
    assert (tmp_path / "read" / "page.tei.xml").read_text(encoding="utf-8").startswith("<l>Le 3 mai,")
    for listing, number, text in (("by_hand.py", 2, ".*"), ("read_digits.py", 1, r"\d*")):
        command = [sys.executable, listing]
        process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert process.returncode == 0 and len(process.stdout.splitlines()) >= number, process.stderr
        assert re.fullmatch(text, process.stdout.splitlines()[-1])


def test_a_network_of_ones_own(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    page = "docs/tutorials/network.md"
    files = [block for block in list_blocks(REPOSITORY / page) if block.title]
    written = [line for block in files for line in block.code.splitlines() if line.strip()]
    commands = find_arguments(page)
    assert len(written) + len(commands) <= 60
    write_files(page, tmp_path)
    write_lines(tmp_path / "my_lines", train=40, val=6, test=4)
    shutil.copy(tmp_path / "my_lines" / "test" / "0.png", tmp_path / "line.png")

    first, resume, predict, evaluate, tune, export, predict_onnx = commands
    few = [*SHORT, "augment=none", "+loader.max_lines_per_batch=5"]
    train([*first, *few, "trainer.max_epochs=12"], tmp_path)
    assert "ConvNet" in (tmp_path / "runs" / "mine" / "config.yaml").read_text()
    train([*resume, "trainer.max_epochs=13"], tmp_path)
    assert json.loads((tmp_path / "runs" / "mine" / "result.json").read_text())["val/cer"] < 0.5
    read = train(predict, tmp_path).splitlines()
    assert len(read) == 4 and all(read)
    refused = [argument for argument in predict if argument not in ("--trust", "my_nets.ConvNet")]
    process = subprocess.run(
        [sys.executable, "-m", "htr_lightning", *refused], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert process.returncode == 1 and "--trust my_nets.ConvNet" in process.stderr
    train(evaluate, tmp_path)
    assert (tmp_path / "measured" / "report.html").is_file()
    listing = subprocess.run([sys.executable, "read.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert listing.stdout.strip() == read[0]
    assert "always" in train([*tune, *few, "trainer.max_epochs=1"], tmp_path)  # the stem stays frozen
    train(export, tmp_path)
    assert run(predict_onnx) == train([*predict[:1], "runs/tuned", *predict[2:]], tmp_path)


def test_reading_pages(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    page = "docs/tutorials/read-pages.md"
    letter = REPOSITORY / "docs" / "images" / "letter.jpg"
    for place in ("docs/images/letter.jpg", "scans/page.jpg"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(letter, tmp_path / place)
    typeset("bel ami").save(tmp_path / "line.png")
    (tmp_path / "check.tsv").write_text("image\ttext\nline.png\tbel ami\n", encoding="utf-8")
    one, folder, evaluate, corrected = find_arguments(page)
    run(one)
    shown = find_block(page, "text", "Le 3 mai")
    read = (tmp_path / "first" / "letter.txt").read_text(encoding="utf-8")
    assert edit_distance(shown, read[: len(shown)]) <= 0.05 * len(shown)  # processors round differently
    run(folder)
    names = {path.name for path in (tmp_path / "transcripts").iterdir()}
    assert {"page.xml", "page.txt", "page.pdf", "page.overlay.jpg"} <= names
    run(evaluate)
    assert (tmp_path / "measured" / "report.html").is_file()
    shutil.copy(tmp_path / "transcripts" / "page.xml", tmp_path / "scans" / "page.xml")
    run(corrected)
    first, second = (tmp_path / place / "page.txt" for place in ("transcripts", "corrected"))
    assert first.read_text(encoding="utf-8") == second.read_text(encoding="utf-8")  # read like their page


def test_fine_tuning(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    arguments = find_arguments("docs/tutorials/fine-tune.md")
    assert [words[0] for words in arguments if "=" not in words[0]] == [
        *["extract"] * 3,
        *["doctor", "evaluate", "evaluate", "compare", "predict", "export"],
    ]
    for words in arguments:
        if words[0] == "extract":
            run([*words, "dataset.num_train=20", "dataset.num_val=6", "dataset.num_test=8"])
        elif words[0] == "+experiment=finetune_lines":
            train([*words, *SHORT, "trainer.max_steps=4", "trainer.val_check_interval=2"], tmp_path)
        elif words[0].startswith("resume="):
            train(words, tmp_path)
        elif words[0] == "predict":
            (tmp_path / "scans").mkdir()
            shutil.copy(REPOSITORY / "docs" / "images" / "letter.jpg", tmp_path / "scans")
            run(words)
            assert (tmp_path / "transcripts" / "letter.xml").is_file()
        else:
            run(words)
    assert (tmp_path / "mine.safetensors").stat().st_size < (tmp_path / "runs/mine/model.safetensors").stat().st_size
    assert (tmp_path / "checked" / "report.html").is_file() and (tmp_path / "after" / "result.json").is_file()


def test_a_sweep(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    grid, report_grid, study, report_study, best = find_arguments("docs/tutorials/sweep.md")
    sizes = ["dataset.num_train=12", "+dataset.num_val=4", "+dataset.num_test=2", "loader.pixels_per_batch=40000"]
    tiny = [*SHORT, *sizes, "+model.channels=[8,8,8]", "+model.rnn_size=8"]
    train([*grid, *tiny], tmp_path)
    assert len(re.findall(r"^ +\d+ +done ", run(report_grid), re.MULTILINE)) == 4
    train([word.replace("num_trials=8", "num_trials=2") for word in study] + tiny, tmp_path)
    shown = run(report_study)
    assert (tmp_path / "runs" / "study" / "report.html").is_file()
    assert "python -m htr_lightning " + " ".join(best[:3]) in shown
    train([*best, "trainer.max_epochs=1", "hydra.run.dir=runs/best"], tmp_path)
    chosen = (tmp_path / "runs" / "best" / "config.yaml").read_text(encoding="utf-8")
    assert "rnn_size: 8" in chosen and "seed: 2" in chosen


@pytest.mark.filterwarnings("ignore:The .*dataloader.* does not have many workers")
def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells = json.loads((REPOSITORY / "docs" / "first_model.ipynb").read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    (tmp_path / "notebook.py").write_text(code, encoding="utf-8")
    names = runpy.run_path("notebook.py")
    assert names["cer"] < 0.1
    assert re.fullmatch(r"\d+ \w+ \d{2,4}", names["prediction"].text) and "<" in names["prediction"]._repr_html_()

"""The code in README.md works as printed."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

from helpers.typesetting import texts, typeset

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def find_block(language: str, containing: str) -> str:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    (block,) = [code for name, code in blocks if name == language and containing in code]
    return str(block)


def test_dataset_reader_of_the_user(tmp_path: Path) -> None:
    code = find_block("python", "class Letters")
    assert len(code.splitlines()) <= 20
    (tmp_path / "letters.py").write_text(code, encoding="utf-8")
    (tmp_path / "my_conf" / "dataset").mkdir(parents=True)
    (tmp_path / "my_conf" / "dataset" / "letters.yaml").write_text(
        find_block("yaml", "letters.Letters"), encoding="utf-8"
    )
    for seed, split in enumerate(("train", "val", "test")):
        (tmp_path / "archive" / split).mkdir(parents=True)
        for number, text in enumerate(texts(4, seed)):
            typeset(text).save(tmp_path / "archive" / split / f"{seed}{number:03d}_01.png")
            (tmp_path / "archive" / split / f"{seed}{number:03d}_01.txt").write_text(text, encoding="utf-8")
    command = find_block("", "--config-dir my_conf").split()
    assert command[0] == "python"
    process = subprocess.run(
        [sys.executable, *command[1:], "trainer=debug", "trainer.accelerator=cpu", "loader.cache_dir=packed"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert "4 train + 4 val + 4 test lines" in " ".join((process.stdout + process.stderr).split())


def test_packages_for_prediction_without_torch_are_complete() -> None:
    (names,) = re.findall(r"^pip install (numpy .*)$", README, re.MULTILINE)
    listed = {name.lower() for name in names.split()}
    requirements = [text for name in listed for text in importlib.metadata.requires(name) or []]
    listed |= {re.split(r"[^\w.-]", text)[0].lower() for text in requirements}
    code = """if True:
        import sys
        before = set(sys.modules)
        import htr_lightning.cli.evaluate, htr_lightning.cli.predict, htr_lightning.evaluation.files
        import htr_lightning.model.onnx_model, htr_lightning.reading.api, htr_lightning.reading.folder
        print(*{name.partition(".")[0] for name in set(sys.modules) - before})"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    distributions = importlib.metadata.packages_distributions()
    imported = {name.lower() for module in process.stdout.split() for name in distributions.get(module, [])}
    assert "numpy" in imported
    assert imported - {"htr-lightning"} <= listed

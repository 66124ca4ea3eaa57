"""The listings in the documentation work as printed, and both README files say the same."""

import collections
import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.documentation import DOCS, READMES, REPOSITORY, Block, find_block, list_blocks, list_commands, write_files
from helpers.typesetting import texts, typeset

from htr_lightning.reading.records.index import write_index
from htr_lightning.reading.records.journal import PageRecord

LISTINGS = [block for block in list_blocks(*READMES, *DOCS) if block.language == "python" and not block.title]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(#[^)\s]*)?\)")


def name(block: Block) -> str:
    return f"{block.page.name}: {block.code.strip().splitlines()[-1]}"


@pytest.mark.parametrize("block", LISTINGS, ids=name)
def test_python_listings_run(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans").mkdir()
    for copy in ("page.jpg", "scans/letter.jpg"):
        shutil.copy(REPOSITORY / "docs" / "images" / "letter.jpg", tmp_path / copy)
    typeset("bel ami").save(tmp_path / "line.png")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "letter.txt").write_text("Le 3 mai, au bord de la rivière\n", encoding="utf-8")
    (tmp_path / "words.txt").write_text("bel\nami\n", encoding="utf-8")
    (tmp_path / "transcripts").mkdir()
    write_index(tmp_path / "transcripts", [PageRecord("letter", "scans/letter.jpg", "read", confidence=0.9)])
    exec(compile(block.code, name(block), "exec"), {})


def test_dataset_reader_of_the_user(tmp_path: Path) -> None:
    page = "docs/howto/data-format.md"
    assert len(find_block(page, "python", "class Letters").splitlines()) <= 20
    write_files(page, tmp_path)
    for seed, split in enumerate(("train", "val", "test")):
        (tmp_path / "archive" / split).mkdir(parents=True)
        for number, text in enumerate(texts(4, seed)):
            typeset(text).save(tmp_path / "archive" / split / f"{seed}{number:03d}_01.png")
            (tmp_path / "archive" / split / f"{seed}{number:03d}_01.txt").write_text(text, encoding="utf-8")
    command = find_block(page, "sh", "--config-dir my_conf").split()
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
    (names,) = re.findall(
        r"^pip install (numpy .*)$", find_block("docs/howto/without-pytorch.md", "sh", "pip install numpy"), re.M
    )
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


def test_both_readmes_say_the_same() -> None:
    english, chinese = (path.read_text(encoding="utf-8") for path in READMES)
    commands = [[line.partition("#")[0].split() for _, line in list_commands(path)] for path in READMES]
    assert commands[0] == commands[1]
    links = [sorted(LINK.findall(text.replace("README.zh.md", "README.md"))) for text in (english, chinese)]
    assert links[0] == links[1]
    figures = [re.findall(r"^\|.*\|$", text, re.MULTILINE) for text in (english, chinese)]
    numbers = [[re.findall(r"\d[\d.,]*", row) for row in rows] for rows in figures]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("path", [*READMES, REPOSITORY / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    links = LINK.findall(path.read_text(encoding="utf-8"))
    assert links
    for target, heading in links:
        assert (path.parent / target).exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", (path.parent / target).read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert heading[1:] in slugs, f"{target}{heading}"


def test_results_of_the_readme_are_those_of_the_experiments() -> None:
    section = READMES[0].read_text(encoding="utf-8").split("## Results")[1].split("\n## ")[0]
    counted: collections.Counter[str] = collections.Counter()
    page = ""
    for row in re.findall(r"^\|(.*)\|$", section, re.MULTILINE)[2:]:
        if link := LINK.search(row):
            page = (REPOSITORY / link[1]).read_text(encoding="utf-8")
            counted[link[1]] += 1
        for figure in re.findall(r"\d+\.\d+(?= )", row):
            assert figure in page, f"{figure} of {row}"
            counted["figures"] += 1
    assert len(counted) == 4 and counted["figures"] >= 20

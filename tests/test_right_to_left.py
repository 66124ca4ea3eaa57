"""Lines that are written from right to left, through training, evaluation and every format of pages."""

import json
import random
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from helpers.predicted_pages import build_line, build_page, build_region
from helpers.typesetting import typeset
from PIL import Image

import htr_lightning
from htr_lightning.directions.bidi import to_visual
from htr_lightning.layout.formats import read_layout
from htr_lightning.reading.folder import read_folder
from htr_lightning.reading.write.writers import PAGE_WRITERS

GLYPHS = dict(zip("אבגדהו", "abcdei", strict=True))  # how these letters are drawn: no font of the tests has Hebrew
FORMATS = ("alto", "page", "hocr", "txt", "json", "pdf")


def draw(text: str) -> Image.Image:
    """Draw a text, in logical order, as it is written: from right to left."""
    return typeset("".join(GLYPHS.get(character, character) for character in to_visual(text, "rtl")))


def make_texts(number: int, seed: int) -> list[str]:
    generator = random.Random(seed)
    words = ["".join(generator.choices(list(GLYPHS), k=3)) for _ in range(4)]
    return [f"{generator.choice(words)} {generator.choice(words)} {generator.choice([12, 31])}" for _ in range(number)]


def run(folder: Path, arguments: Sequence[str]) -> str:
    command = [sys.executable, "-m", "htr_lightning", *arguments]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.fixture(scope="module", name="folder")
def train(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train on lines whose texts are overfitted."""
    folder = tmp_path_factory.mktemp("rtl")
    texts = make_texts(60, 1)
    for split in ("train", "val", "test"):
        (folder / "lines" / split).mkdir(parents=True)
        for number, text in enumerate(texts if split == "train" else texts[:4]):
            draw(text).save(folder / "lines" / split / f"{number}.png")
            (folder / "lines" / split / f"{number}.gt.txt").write_text(text, encoding="utf-8")
    rows = [f"lines/val/{number}.png,{text}" for number, text in enumerate(texts[:4])]
    (folder / "check.csv").write_text("\n".join(["image,text", *rows]), encoding="utf-8")
    arguments = ["dataset=lines", "dataset.root=lines", "trainer=cpu", "+trainer.enable_progress_bar=false"]
    arguments += ["loader.cache_dir=packed", "loader.max_shared=1", "augment=none", "+loader.max_lines_per_batch=6"]
    run(folder, [*arguments, "trainer.max_epochs=32", "optim.lr=5e-3", "hydra.run.dir=run"])
    return folder


def test_training_learns_visual_order_and_predicts_logical_order(folder: Path) -> None:
    assert json.loads((folder / "run" / "result.json").read_text())["val/cer"] < 0.1
    reader = htr_lightning.load(folder / "run" / "model.safetensors")
    assert reader.model.charset.direction == "auto" and reader.model.charset.page_direction == "rtl"
    paths = [folder / "lines" / "val" / f"{number}.png" for number in range(4)]
    right = 0
    for path, prediction in zip(paths, reader.read_lines(paths), strict=True):
        truth = path.with_suffix(".gt.txt").read_text(encoding="utf-8")
        assert "".join(character.text for character in prediction.characters) == prediction.text
        right += prediction.text == truth
        if prediction.text == truth:
            first, second, number = prediction.words
            assert first.start_px > second.end_px > second.start_px > number.end_px
            one, two = prediction.characters[-2:]
            assert one.start_px < two.start_px  # numbers run from left to right
    assert right >= 3


def test_every_format_has_the_logical_text(folder: Path) -> None:
    page = Image.new("L", (700, 400), 255)
    texts = make_texts(60, 1)[:3]
    xml = []
    for number, text in enumerate(texts):
        line, top = draw(text), 60 + 90 * number
        left, right, bottom = 640 - line.width, 640, top + line.height
        page.paste(line, (left, top))
        xml.append(
            f'<TextLine id="l{number}"><Coords points="{left},{top} {right},{top} {right},{bottom} {left},{bottom}"/>'
            f'<Baseline points="{left},{bottom - 8} {right},{bottom - 8}"/></TextLine>'
        )
    (folder / "scans").mkdir()
    page.save(folder / "scans" / "page.png")
    (folder / "scans" / "page.xml").write_text(
        '<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"><Page imageFilename="page.png" '
        'imageWidth="700" imageHeight="400"><TextRegion id="r"><Coords points="10,10 690,10 690,390 10,390"/>'
        + "".join(xml)
        + "</TextRegion></Page></PcGts>",
        encoding="utf-8",
    )
    reader = htr_lightning.load(folder / "run" / "model.safetensors")
    read_folder(folder / "scans", folder / "out", reader, formats=FORMATS)
    text = (folder / "out" / "page.txt").read_text(encoding="utf-8").strip()
    assert len(re.findall(r"^[אבגדהו ]+ (12|31)$", text, re.MULTILINE)) == 3  # numbers last, though they are left
    lines = [line for line in text.splitlines() if line]
    for path in sorted((folder / "out").glob("*.xml")):
        assert [line.text for line in read_layout(path).lines] == lines
    hocr = (folder / "out" / "page.hocr").read_text(encoding="utf-8")
    assert hocr.count('dir="rtl"') == len(lines)
    spoken = re.sub(r"<[^>]*>", "", hocr[hocr.index("<body") :]).split()
    assert spoken == text.split()
    record = json.loads((folder / "out" / "page.json").read_text(encoding="utf-8"))
    assert [line["text"] for region in record["regions"] for line in region["lines"]] == lines


def test_new_page_files_state_the_direction() -> None:
    page = build_page(build_region("r1", build_line("l1", "אוג 31"), build_line("l2", "bel ami", top=200)))
    xml = PAGE_WRITERS["page"].write(page, datetime(2026, 1, 1, tzinfo=UTC)).decode()
    assert re.findall(r'<TextLine id="(\w+)" readingDirection="right-to-left"', xml) == ["l1"]
    assert 'dir="rtl"' in PAGE_WRITERS["hocr"].write(page, datetime(2026, 1, 1, tzinfo=UTC)).decode()


def test_a_direction_that_is_none(folder: Path) -> None:
    command = [sys.executable, "-m", "htr_lightning", "dataset=lines", "dataset.root=lines", "dataset.direction=up"]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert process.returncode == 1 and "dataset.direction" in process.stderr and "'up'" in process.stderr


def test_evaluation_and_language_models(folder: Path) -> None:
    (folder / "texts.txt").write_text("\n".join(make_texts(60, 1)), encoding="utf-8")
    run(folder, ["train-lm", "texts.txt", "--out", "lm.arpa", "--order", "3"])
    run(folder, ["evaluate", "run", "--data", "check.csv", "--lm", "lm.arpa", "--out", "m"])
    assert json.loads((folder / "m" / "result.json").read_text())["cer"] < 0.1
    table = (folder / "m" / "lines.tsv").read_text(encoding="utf-8")
    assert table.count(make_texts(60, 1)[0]) == 2  # the reference and what was read

import os
import re
import shutil
from pathlib import Path

import pytest
from helpers.typesetting import typeset

from htr_lightning.data.line import SPLITS
from htr_lightning.data.sources.copiste import TEST_TEXTS, VAL_TEXTS, Copiste
from htr_lightning.data.sources.manifest import read_manifest
from htr_lightning.image.files import DataError


def write_page(root: Path, name: str, *texts: str) -> None:
    """One page of the public repository: a layout in ``alto``, an image in ``jpg``."""
    for folder in ("alto", "jpg"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    typeset("x" * 20, 40 * len(texts)).save(root / "jpg" / f"{name}.jpg")
    lines = "".join(
        f'<TextLine ID="l{n}" HPOS="5" VPOS="{40 * n}" WIDTH="200" HEIGHT="38"><String CONTENT="{text}"/></TextLine>'
        for n, text in enumerate(texts)
    )
    (root / "alto" / f"{name}.xml").write_text(
        f"<alto><Description><sourceImageInformation><fileName>{name}.jpg</fileName></sourceImageInformation>"
        f"</Description><Layout><Page><PrintSpace><TextBlock>{lines}</TextBlock></PrintSpace></Page></Layout></alto>",
        encoding="utf-8",
    )


def test_the_clone_of_the_public_repository(tmp_path: Path) -> None:
    write_page(
        tmp_path,
        "imp_wikitexte_0219",
        "J'ai lu les conditions de participation et j'y consens. Je",
        "comprends que mon manuscrit sera anonymisé et",
        "Sunny est un film dramatique",
        "un&gt;e&lt; joueur",
        "imp_wikitexte_0219",
    )
    write_page(tmp_path, "wikitexte_0054_2", "Référence : wikitexte_0054", "habitants en 2023.")
    write_page(tmp_path, "wikitexte_0006", "une ville")
    source = Copiste(str(tmp_path))
    found = {split: [(line.text, line.group) for line in source.lines(split)] for split in SPLITS}
    assert found == {
        "train": [("Sunny est un film dramatique", "imp_0219")],
        "val": [("une ville", "0006")],
        "test": [("habitants en 2023.", "0054")],
    }
    assert source.lines("train")[0].image.read().shape[:2] == (39, 201)


def test_neither_a_clone_nor_prepared_lines(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"neither a clone of Copiste d'un jour .*git clone https://github.com/banq-dcn"
    ):
        Copiste(str(tmp_path))


def copiste() -> Path:
    data = Path(os.environ.get("HTR_DATA", "data")) / "copiste"
    if not (data / "train.tsv").is_file():
        pytest.skip(f"needs {data}; set HTR_DATA")
    return data


def test_prepared_lines() -> None:
    source = Copiste(str(copiste()))
    assert [len(source.lines(split)) for split in SPLITS] == [3416, 526, 563]
    assert source.lines("train")[0].group == "imp_0022"


def test_splits_are_those_of_the_prepared_lines() -> None:
    for split in SPLITS:
        numbers = {int(re.findall(r"\d{4}", line.group)[0]) for line in read_manifest(copiste() / f"{split}.tsv")}
        expected = {"val": VAL_TEXTS, "test": TEST_TEXTS}.get(split)
        assert numbers == expected if expected else not numbers & (VAL_TEXTS | TEST_TEXTS)


def test_real_pages_as_a_clone_give_the_prepared_lines(tmp_path: Path) -> None:
    for folder, pattern in (("alto", "*/*.xml"), ("jpg", "*/*.jpg")):
        (tmp_path / folder).mkdir()
        for path in (copiste() / "pages").glob(pattern):
            shutil.copy(path, tmp_path / folder)
    source = Copiste(str(tmp_path))
    for split in SPLITS:
        pages = {path.stem.replace("wikitexte_", "") for path in (copiste() / "pages" / split).glob("*.xml")}
        known = [
            line.text
            for line in read_manifest(copiste() / f"{split}.tsv")
            if line.id.split("/")[1].rsplit("_", 1)[0].replace("-", "_") in pages
        ]
        read = [line.text for line in source.lines(split)]
        # The prepared dataset also leaves out a few very short lines.
        more = list(read)
        for text in known:
            more.remove(text)
        assert len(known) > 25 and len(more) <= 3 and all(len(text) < 20 for text in more), more

"""Combining marks that stand wrong, and ideographs that look like others."""

import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from htr_lightning.cli import doctor
from htr_lightning.doctor.finding import Finding
from htr_lightning.doctor.ideograph_tables import KANA_TWINS, RADICALS, SAME_SHAPE, VARIANTS
from htr_lightning.doctor.ideographs import find_ideograph_problems
from htr_lightning.doctor.marks import find_mark_problems
from htr_lightning.doctor.search import Texts
from htr_lightning.text import Normalization

ACUTE, DOT_BELOW, SHADDA, FATHA = "\u0301", "\u0323", "\u0651", "\u064e"


def texts_of(*texts: str) -> Texts:
    return {"train": [(str(row), text) for row, text in enumerate(texts)], "val": [], "test": []}


def find_marks(*texts: str, normalization: Normalization = "NFC") -> dict[str, Finding]:
    return {finding.key: finding for finding in find_mark_problems(texts_of(*texts), normalization)}


def find_ideographs(*texts: str, normalization: Normalization = "NFC") -> dict[str, Finding]:
    return {finding.key: finding for finding in find_ideograph_problems(texts_of(*texts), normalization)}


def ids(finding: Finding) -> list[str]:
    return [line.id for line in finding.lines]


@pytest.mark.parametrize(
    "text", ["", "été", "e\u0301te", "שָׁלוֹם", "مُحَمَّد", "हिन्दी", "a\u0323\u0301", "漢\ufe00", "◌\u0301"]
)
def test_marks_behind_their_letters_are_fine(text: str) -> None:
    assert find_marks(text) == {}


def test_marks_without_a_letter_are_named() -> None:
    found = find_marks(f"{ACUTE}ete", "le roi", f"le {ACUTE}ete {FATHA}", f"{FATHA}{SHADDA}")
    lone = found.pop("lone_marks")
    assert (lone.severity, lone.count, ids(lone)) == ("warning", 4, ["0", "2", "3"]) and not found
    assert "(U+0301 COMBINING ACUTE ACCENT) 2 times" in lone.title and "U+0301 in «le " in lone.lines[1].reason


def test_marks_that_are_there_twice() -> None:
    (twice,) = find_marks(f"e{ACUTE}{ACUTE}", f"e{ACUTE}").values()
    assert (twice.key, twice.severity, ids(twice)) == ("doubled_marks", "warning", ["0"])


@pytest.mark.parametrize("normalization", ["NFC", "NFD", "none"])
def test_marks_in_odd_order(normalization: Normalization) -> None:
    odd = [f"a{ACUTE}{DOT_BELOW}", f"م{SHADDA}{FATHA}"]
    (found,) = find_marks(
        *odd, *(unicodedata.normalize("NFD", text) for text in odd), normalization=normalization
    ).values()
    assert (found.key, found.count, ids(found)) == ("mark_order", 2, ["0", "1"])
    assert found.severity == ("warning" if normalization == "none" else "note")
    assert ("loader.normalization=NFC" in found.remedy) == (normalization == "none")


def test_compatibility_forms_and_radicals() -> None:
    texts = (
        "\uf900\u2f00 漢字",
        "⻢ 马",
        "馬",
    )  # a compatibility ideograph, a Kangxi radical, a radical of the supplement
    (forms,) = (found := find_ideographs(*texts[:2])).values()
    assert (forms.key, forms.severity, forms.count, ids(forms)) == ("ideograph_forms", "warning", 3, ["0", "1"])
    assert "write the ideographs (豈一马)" in forms.remedy and "NFKC, which keeps ⻢" in forms.remedy
    note = find_ideographs("\uf900")["ideograph_forms"]
    assert note.severity == "note" and "NFC" in note.remedy
    assert find_ideographs("\uf900", normalization="none")["ideograph_forms"].severity == "warning"
    assert found.keys() == {"ideograph_forms"} and not find_ideographs(texts[2])


def test_forms_of_several_standards() -> None:
    found = find_ideographs("国国戸戸", "國戶", "气氣")
    alike, variants = found["ideograph_lookalikes"], found["ideograph_variants"]
    assert (alike.severity, alike.count, ids(alike)) == ("warning", 1, ["1"])
    assert (variants.severity, variants.count, ids(variants)) == ("note", 2, ["1", "2"])
    assert "国 2 times, 國 1 time; 气 1 time, 氣 1 time" in variants.title and variants.title.startswith("2 ideographs")
    assert not find_ideographs("国戸", "学気") and not find_ideographs("le roi", "Ωδή")
    assert not find_ideograph_problems(texts_of("戸戶"), "NFC", fonts=True)


@pytest.mark.parametrize(
    ("text", "stray"),
    [
        *[
            ("コン二チワ", "二"),
            ("ア力デミー", "力"),
            ("コ一ヒー", "一"),
            ("人ロ数", "ロ"),
            ("七タ祭", "タ"),
            ("統ーした", "ー"),
        ],
        *[
            (text, "")
            for text in (
                "カタカナ",
                "人口",
                "力学",
                "東京ニ行ク",
                "三カ月",
                "コーヒー",
                "ハ八",
                "一二三",
                "らーめん",
                "日本ト支那",
            )
        ],
    ],
)
def test_katakana_and_ideographs_of_the_same_shape(text: str, stray: str) -> None:
    found = find_ideographs(text)
    assert set(found) == ({"stray_kana"} if stray else set())
    if stray:
        twin = KANA_TWINS.get(stray) or next(kana for kana, ideograph in KANA_TWINS.items() if ideograph == stray)
        assert f"{stray!r} (U+" in found["stray_kana"].title and f"{stray} for {twin}" in found["stray_kana"].remedy


def test_tables_have_each_ideograph_once_and_no_compatibility_forms() -> None:
    members = "".join(SAME_SHAPE + VARIANTS)
    assert len(set(members)) == len(members) == len(unicodedata.normalize("NFC", members))
    assert unicodedata.normalize("NFC", members) == members and all(len(g) > 1 for g in SAME_SHAPE + VARIANTS)
    assert all("\u2e80" <= radical <= "\u2eff" and "\u4e00" <= plain <= "\u9fff" for radical, plain in RADICALS.items())
    assert all("KATAKANA" in unicodedata.name(kana) for kana in KANA_TWINS)


def test_the_doctor_reports_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "val", "test"):
        (tmp_path / split).mkdir()
        for number, text in enumerate([f"{ACUTE}un", "人ロ数", "戸", "戶", "\u2f00"]):
            image = Image.new("L", (400, 40), 255)
            image.paste(0, (20 + number, 10, 380 - len(split), 30))
            image.save(tmp_path / split / f"{number}.png")
            (tmp_path / split / f"{number}.gt.txt").write_text(f"{text} {split}", encoding="utf-8")
    with pytest.raises(SystemExit):
        doctor.main(["dataset=lines", f"dataset.root={tmp_path}"])
    out = " ".join(capsys.readouterr().out.split())
    for phrase in (
        "combining marks without a letter",
        "katakana among ideographs",
        "look alike in handwriting",
        "radicals",
    ):
        assert phrase in out
    assert "train/0.png" in out

"""The synthetic dataset: reproducible, without texts shared between splits, with fonts that support the texts."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fontpkg")
pytest.importorskip("wordfreq")

from helpers.synthetic import SMALL, digest

from htr_lightning.data.line import Split
from htr_lightning.data.sources import fonts as fonts_module
from htr_lightning.data.sources import synthetic_image
from htr_lightning.data.sources.fonts import find_fonts, find_supported_characters, open_face
from htr_lightning.data.sources.grammar import cut_lines
from htr_lightning.data.sources.synthetic import Synthetic
from htr_lightning.image.files import DataError

ACCENTS = "àâçéèêëîïôùûœŒÉÀÇ€"


class TestReproduction:
    def test_other_order_and_object(self) -> None:
        first = Synthetic(**SMALL)
        train, test = list(first.lines("train")), list(first.lines("test"))
        second = Synthetic(**SMALL)
        assert digest(list(reversed(second.lines("test")))) == digest(test[::-1])
        assert digest(list(second.lines("train"))) == digest(train)

    def test_other_process(self) -> None:
        code = (
            "import sys; sys.path[:0] = sys.argv[1:]\n"
            "from helpers.synthetic import SMALL, digest\n"
            "from htr_lightning.data.sources.synthetic import Synthetic\n"
            "print(digest(list(Synthetic(**SMALL).lines('val'))))"
        )
        root = Path(__file__).resolve().parents[3]
        ran = subprocess.run(
            [sys.executable, "-c", code, str(root), str(root / "tests")],
            env={**os.environ, "PYTHONHASHSEED": "7"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.strip() == digest(list(Synthetic(**SMALL).lines("val")))

    def test_the_seed_changes_texts_and_pixels(self) -> None:
        one, two = (Synthetic(**SMALL, seed=seed).lines("val") for seed in (1, 2))
        assert [line.text for line in one] != [line.text for line in two]
        assert one[0].image.read().tobytes() != two[0].image.read().tobytes()

    def test_a_longer_split_starts_with_the_lines_of_a_shorter_one(self) -> None:
        short, long = Synthetic(num_train=50).lines("train"), Synthetic(num_train=90).lines("train")
        assert list(long[:50]) == list(short)

    def test_a_pickled_image_reads_the_same(self) -> None:
        image = Synthetic(**SMALL).lines("train")[3].image
        copy = pickle.loads(pickle.dumps(image))
        assert copy.fingerprint == image.fingerprint
        assert np.array_equal(copy.read(), image.read())


class TestTexts:
    def test_lengths_and_ids(self) -> None:
        lines = Synthetic(**SMALL, min_length=5, max_length=30).lines("train")
        assert len(lines) == 60
        assert all(5 <= len(line.text) <= 30 for line in lines)
        assert all(line.text == " ".join(line.text.split()) for line in lines)
        assert [line.id for line in lines[:2]] == ["train/000000", "train/000001"]

    # Short texts repeat often, so this fails if texts of other splits are not excluded.
    @pytest.mark.parametrize("lengths", [{}, {"min_length": 3, "max_length": 5}])
    def test_no_text_is_shared_between_splits(self, lengths: dict[str, int]) -> None:
        source = Synthetic(num_train=3000, num_val=200, num_test=200, **lengths)
        texts = [{line.text.casefold() for line in source.lines(split)} for split in ("train", "val", "test")]
        assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]

    def test_the_grammar_uses_all_letters_digits_and_marks(self) -> None:
        text = "\n".join(line.text for line in Synthetic(num_train=4000).lines("train"))
        assert set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") <= set(text)
        assert set("éèàçœ€£'\"«»().,;:?!-") <= set(text)

    def test_text_file(self, tmp_path: Path) -> None:
        path = tmp_path / "own.txt"
        numbers = " ".join(f"mot{i}" for i in range(400))
        path.write_text(f"Un vers court\nnon\n{numbers}\n", encoding="utf-8")
        source = Synthetic(num_train=300, num_val=10, num_test=10, text_file=str(path))
        splits: tuple[Split, ...] = ("train", "val", "test")
        texts = {split: {line.text.casefold() for line in source.lines(split)} for split in splits}
        assert len(source.lines("train")) == 300
        assert not texts["train"] & texts["val"] and not texts["val"] & texts["test"]
        everything = set.union(*texts.values())
        assert "un vers court" in everything and "non" not in everything
        content = path.read_text(encoding="utf-8").casefold()
        assert all(text in content for text in everything)

    def test_characters(self) -> None:
        allowed = "abcdefghijklmnopqrstuvwxyz"
        lines = Synthetic(**SMALL, languages=["en"], characters=allowed, fonts=["delius"]).lines("train")
        assert set("".join(line.text for line in lines)) <= set(allowed + " ")

    def test_cut_keeps_words_whole(self) -> None:
        words = ["a", "bb", "ccc", "incomprehensible", "dd", "eee"] * 50
        for line in cut_lines(iter(words), 5, 9, np.random.default_rng(0)):
            assert 5 <= len(line) <= 9
            assert set(line.split()) <= set(words)

    def test_pixels_are_rendered_only_when_a_line_is_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(synthetic_image, "render_line", lambda *_: pytest.fail("rendered"))
        assert len(Synthetic(num_train=2000).lines("train")) == 2000


class TestFonts:
    def test_held_out_fonts_occur_only_in_the_test_split(self) -> None:
        source = Synthetic(num_train=400, num_val=100, num_test=100, held_out_fonts=["kalam", "zeyada"])
        groups = {split: {line.group for line in source.lines(split)} for split in ("train", "val", "test")}
        assert groups["test"] == {"kalam", "zeyada"}
        assert groups["train"] == set(find_fonts()) - {"kalam", "zeyada"}
        assert not groups["val"] & groups["test"]

    def test_every_packaged_font_has_the_accents(self) -> None:
        for font in find_fonts().values():
            for face in font.faces:
                assert find_supported_characters(face.path, frozenset(ACCENTS)) == frozenset(ACCENTS), font.name
                missing = open_face(face, 40).getmask("\uffff")
                for char in ACCENTS:
                    mask = open_face(face, 40).getmask(char)
                    assert mask.getbbox() is not None
                    assert (mask.size, bytes(mask)) != (missing.size, bytes(missing))

    def test_characters_that_a_font_lacks(self) -> None:
        path = find_fonts(["delius"])["delius"].faces[0].path
        probe = frozenset("aé жא中\u00a0\u0301\n")
        assert find_supported_characters(path, probe) == frozenset("aé ")
        caveat = find_fonts(["caveat"])["caveat"].faces[0].path  # draws a box for missing characters
        assert find_supported_characters(caveat, frozenset("ж中א")) == frozenset("ж")

    def test_only_fonts_that_have_the_letters_are_used(self) -> None:
        lines = Synthetic(**SMALL, languages=["ru"]).lines("train")
        alphabet = frozenset("".join(line.text for line in lines))
        fonts = find_fonts()
        for line in lines:
            assert set(line.text) <= find_supported_characters(fonts[line.group].faces[0].path, alphabet)

    def test_a_font_of_capitals_gets_texts_in_capitals(self) -> None:
        lines = Synthetic(**SMALL, fonts=["permanent-marker"]).lines("train")
        assert all(line.text == line.text.upper() for line in lines)

    def test_font_folder(self, tmp_path: Path) -> None:
        source = find_fonts(["delius"])["delius"].faces[0].path
        (tmp_path / "Mine.ttf").write_bytes(source.read_bytes())
        own = Synthetic(**SMALL, font_folder=str(tmp_path), fonts=["Mine"])
        assert {line.group for line in own.lines("train")} == {"Mine"}
        both = Synthetic(num_train=400, font_folder=str(tmp_path))
        assert {line.group for line in both.lines("train")} == {*fonts_module.PACKAGED_FONTS, "Mine"}


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"min_length": 9, "max_length": 8}, "dataset.min_length=9: the value is above dataset.max_length=8"),
            ({"min_length": 0}, "dataset.min_length=0: the value is out of range; give a number between 1 and 1000"),
            ({"num_val": -1}, "dataset.num_val=-1:"),
            ({"ruling": 1.5}, "dataset.ruling=1.5:"),
            ({"seed": -1}, "dataset.seed=-1:"),
            ({"languages": []}, "dataset.languages: "),
            (
                {"fonts": ["comic"]},
                "dataset.fonts: no font is called 'comic'; choose from caveat, dancing",
            ),
            ({"fonts": []}, "dataset.fonts: the list is empty"),
            ({"held_out_fonts": ["comic"]}, "dataset.held_out_fonts: no font is called 'comic'; choose from caveat"),
            (
                {"fonts": ["kalam"], "held_out_fonts": ["kalam"]},
                "dataset.held_out_fonts=['kalam']: no font is left",
            ),
            ({"text_file": "nowhere.txt"}, "dataset.text_file=nowhere.txt: there is no such file"),
            ({"font_folder": "nowhere"}, "dataset.font_folder=nowhere: there is no such folder"),
        ],
    )
    def test_constructor(self, arguments: dict[str, object], message: str) -> None:
        with pytest.raises(DataError) as error:
            Synthetic(**arguments)  # type: ignore[arg-type]
        assert message in str(error.value)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"languages": ["xx"]}, "dataset.languages: 'xx' is unknown; choose from ar, "),
            ({"languages": ["ar"]}, "dataset.languages: 'ar' cannot be written with these fonts"),
            ({"min_length": 1, "max_length": 1}, "dataset.max_length=1: only "),
        ],
    )
    def test_texts(self, arguments: dict[str, object], message: str) -> None:
        with pytest.raises(DataError) as error:
            Synthetic(**SMALL, **arguments).lines("train")  # type: ignore[arg-type]
        assert message in str(error.value)

    def test_text_file_too_short_or_not_text(self, tmp_path: Path) -> None:
        path = tmp_path / "own.txt"
        path.write_text("seulement une ligne\n", encoding="utf-8")
        with pytest.raises(DataError, match=r"own\.txt: only 1 of 20 val texts of 8 to 24 characters"):
            Synthetic(**SMALL, text_file=str(path)).lines("val")
        path.write_bytes(b"caf\xe9 au lait\n")
        with pytest.raises(DataError, match=r"dataset\.text_file=.*give a text file in UTF-8"):
            Synthetic(**SMALL, text_file=str(path)).lines("val")

    def test_font_folder_without_or_with_broken_fonts(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"contains no font file \(\.otf"):
            Synthetic(font_folder=str(tmp_path))
        (tmp_path / "broken.ttf").write_text("<html>not found</html>")
        with pytest.raises(DataError, match=r"broken\.ttf: not a font"):
            Synthetic(font_folder=str(tmp_path))
        (tmp_path / "broken.ttf").rename(tmp_path / "kalam.ttf")
        with pytest.raises(DataError, match=r"kalam is also .* rename the file"):
            Synthetic(font_folder=str(tmp_path))

    def test_missing_packages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import fontpkg

        some = {name: family for name, family in fontpkg.families().items() if name != "kalam"}
        monkeypatch.setattr(fontpkg, "families", lambda: some)
        with pytest.raises(DataError, match=r"fontpkg-kalam is not installed; run: pip install \"htr-lightning"):
            Synthetic()
        assert Synthetic(**SMALL, fonts=["caveat"]).lines("val")
        monkeypatch.setitem(sys.modules, "fontpkg", None)
        with pytest.raises(DataError, match="fontpkg-caveat is not installed"):
            Synthetic()

    def test_missing_word_lists(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "wordfreq", None)
        with pytest.raises(DataError, match=r"wordfreq is not installed; run: pip install"):
            Synthetic(**SMALL, languages=["pl"]).lines("val")

import functools
from pathlib import Path

import numpy as np
import pytest
from helpers.typesetting import typeset
from PIL import Image

from htr_lightning.data.line import Line
from htr_lightning.data.pack import pack
from htr_lightning.doctor.facts import LineFacts, Settings, collect_facts, collect_packed_facts, examine_line
from htr_lightning.image.files import DataError
from htr_lightning.image.line_image import ImageFile, UnusableImage
from htr_lightning.image.preprocess import Preprocess

examine = functools.partial(examine_line, Preprocess(height_px=32, max_width_px=400))


def line(path: Path, text: str = "bel ami") -> Line:
    typeset(text or "bel ami").save(path)
    return Line(path.name, ImageFile(path), text, "anna")


def get_kind(facts: LineFacts) -> str:
    assert facts.problem is not None and facts.id in facts.problem.message
    return facts.problem.kind


def test_a_good_line(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    typeset("bel ami", 64).save(path)
    width, height = typeset("bel ami", 64).size
    facts = examine(Line("a.png", ImageFile(path), "bel ami"))
    assert facts.problem is None
    assert (facts.width_px, facts.height_px) == (width, height) and facts.input_width_px == round(width / 2)
    assert 0.01 < facts.ink < 0.3 and len(facts.digest) == 12


def test_problems_have_kinds(tmp_path: Path) -> None:
    good = line(tmp_path / "good.png")
    assert get_kind(examine(Line("lost.png", ImageFile(tmp_path / "lost.png"), "x"))) == "missing"
    (tmp_path / "bad.png").write_bytes((tmp_path / "good.png").read_bytes()[:90])
    assert get_kind(examine(Line("bad.png", ImageFile(tmp_path / "bad.png"), "x"))) == "damaged"
    assert get_kind(examine(Line("p7", UnusableImage("p7: has no polygon; draw one"), ""))) == "unusable"
    assert get_kind(examine(Line("good.png", good.image, ""))) == "empty"
    for name, size, kind in (("thin.png", (40, 1), "too_small"), ("long.png", (900, 16), "too_wide")):
        Image.new("L", size, 255).save(tmp_path / name)
        facts = examine(Line(name, ImageFile(tmp_path / name), "x"))
        assert get_kind(facts) == kind and (facts.width_px, facts.height_px) == size and facts.input_width_px == 0


def test_a_missing_file_deep_inside_a_reader_is_missing(tmp_path: Path) -> None:
    class Cut:
        fingerprint = ""

        def read(self, max_pixels: int = 0) -> np.ndarray:
            try:
                return ImageFile(tmp_path / "page.png").read()
            except DataError as error:
                raise DataError(f"line 3: {error}", kind=error.kind) from None

    assert get_kind(examine(Line("3", Cut(), "x"))) == "missing"  # type: ignore[arg-type]


def test_an_error_that_nobody_foresaw_names_the_line() -> None:
    class Broken:
        fingerprint = ""

        def read(self, max_pixels: int = 0) -> np.ndarray:
            raise RuntimeError("odd")

    with pytest.raises(RuntimeError) as caught:
        examine(Line("p/7", Broken(), "x"))  # type: ignore[arg-type]
    assert caught.value.__notes__ == ["while reading line p/7"]


def test_the_digest_is_that_of_the_pixels_and_their_shape(tmp_path: Path) -> None:
    pixels = np.arange(96, dtype=np.uint8).reshape(8, 12)
    for name, array in (("a.png", pixels), ("b.bmp", pixels), ("c.png", pixels.reshape(12, 8))):
        Image.fromarray(array).save(tmp_path / name)
    a, b, c = (examine(Line(name, ImageFile(tmp_path / name), "x")).digest for name in ("a.png", "b.bmp", "c.png"))
    assert a == b != c


def test_columns_of_a_split_keep_the_order_also_in_worker_processes(tmp_path: Path) -> None:
    lines = [line(tmp_path / f"{number}.png", "abc"[: number % 4]) for number in range(8)] * 33
    steps: list[int] = []

    def progress(tasks, number, words):  # type: ignore[no-untyped-def]
        assert (number, words) == (264, "Reading val")
        for task in tasks:
            steps.append(len(task))
            yield task

    alone = collect_facts("val", lines, Preprocess())
    both = collect_facts("val", lines, Preprocess(), num_workers=2, progress=progress)
    assert sum(steps) == len(alone) == len(both) == 264
    assert alone.digests == both.digests and alone.ids == both.ids == [item.id for item in lines]
    np.testing.assert_array_equal(alone.input_widths_px, both.input_widths_px)
    assert alone.problems.keys() == both.problems.keys() == {row for row in range(264) if row % 4 == 0}
    assert both.usable.sum() == len(both.get_usable_texts()) == 198
    np.testing.assert_array_equal(both.lengths, [row % 4 for row in range(264)])


def test_packed_lines_give_their_columns(tmp_path: Path) -> None:
    lines = [line(tmp_path / f"{number}.png") for number in range(3)]
    packed = pack(lines, Preprocess(), tmp_path / "packed")
    facts = collect_packed_facts("train", packed)
    assert list(facts.ids) == ["0.png", "1.png", "2.png"] and list(facts.groups) == ["anna"] * 3
    assert facts.usable.all() and facts.digests[0] == facts.digests[1] != ""


def test_settings_take_what_the_configuration_says() -> None:
    class Synthetic:
        pass

    loader = {"max_skipped": 4, "cache_dir": "x", "normalization": "NFD"}
    settings = Settings.from_config(loader, Synthetic(), Preprocess(height_px=64))
    assert settings == Settings(max_skipped=4, normalization="NFD", height_px=64, groups_are_fonts=True)
    assert Settings.from_config({}, object(), Preprocess()) == Settings()

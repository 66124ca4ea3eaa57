"""The command, its pictures and its pages."""

import html.parser
import importlib.util
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from helpers.typesetting import typeset
from PIL import Image

from htr_lightning.cli.explain import METHODS as OFFERED
from htr_lightning.cli.explain import build_parser, main
from htr_lightning.explain.attribution import METHODS, STEPS, Attributions
from htr_lightning.explain.colors import draw_stacked, tint_ink
from htr_lightning.explain.html import render_page
from htr_lightning.explain.line_output import CharacterOutput, LineOutput
from htr_lightning.explain.picture import MAX_WIDTH_PX, compute_scale, draw_explanation, draw_rows, split_rows

EVIL = "<script>alert('x')</script> & \"quoted\" \u202e.png"
NONE = Attributions(range(0), np.zeros((0, 48, 90), np.float32), np.zeros(0, np.float32))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    typeset("dans", 48).save(tmp_path / "line.png")
    return tmp_path / "line.png"


class Page(html.parser.HTMLParser):
    """Checks that every element is closed where it was opened, and collects references."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def make_output(characters: tuple[CharacterOutput, ...] = (), id: str = "line.png", width: int = 90) -> LineOutput:
    probabilities = np.zeros((-(-width // 4), 5), np.float32)
    probabilities[:, 0] = 1
    return LineOutput(id, np.full((48, width), 255, np.uint8), probabilities, 4, characters, 0.9, False)


@pytest.mark.parametrize("method", METHODS)
def test_a_picture_and_a_page_that_needs_nothing_else(
    method: str, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "out"
    main(["zoo:latin", str(image), "--out", str(out), "--method", method, "--steps", "2"])
    assert capsys.readouterr().out.split() == [str(out / "line.html")]
    assert sorted(path.name for path in out.iterdir()) == ["line.html", "line.png"]
    with Image.open(out / "line.png") as picture:
        assert picture.format == "PNG" and picture.width > 300
    text = (out / "line.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.references and all(r.startswith("data:image/png;base64,") for r in page.references)
    assert not re.search(r"url\(|@import|<script|<link|https?://(?!www\.w3\.org)", text)
    assert text.count('class="card"') == 4 and ">dans<" in text
    assert "prefers-color-scheme: dark" in text


def test_some_characters(image: Path, tmp_path: Path) -> None:
    for words, number in (("2-3", 2), ("4", 1), ("3-90", 2)):
        main(["zoo:latin", str(image), "--out", str(tmp_path / "o"), "--method", "grad-cam", "--characters", words])
        assert (tmp_path / "o" / "line.html").read_text(encoding="utf-8").count('class="card"') == number


def test_a_line_that_is_read_as_empty(tmp_path: Path) -> None:
    Image.new("L", (200, 48), 255).save(tmp_path / "blank.webp")
    main(["zoo:latin", str(tmp_path / "blank.webp"), "--out", str(tmp_path)])
    text = (tmp_path / "blank.html").read_text(encoding="utf-8")
    assert "Empty prediction" in text and "Character by character" not in text
    assert (tmp_path / "blank.png").is_file()


def test_unreadable_images_are_named_and_the_others_explained(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.png").write_bytes(b"nonsense")
    with pytest.raises(SystemExit) as stopped:
        main(
            [
                "zoo:latin",
                str(tmp_path / "bad.png"),
                "gone.png",
                str(image),
                "--out",
                str(tmp_path / "out"),
                "--method",
                "grad-cam",
            ]
        )
    assert stopped.value.code == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and "bad.png" in errors[0] and "gone.png" in errors[1]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["line.html", "line.png"]


def test_lines_of_one_name_are_numbered(image: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    image.with_name("other").joinpath("line.png").write_bytes(image.read_bytes())
    main(["zoo:latin", str(image), str(tmp_path / "other"), "--out", str(tmp_path / "out"), "--method", "grad-cam"])
    names = [path.name for path in sorted((tmp_path / "out").iterdir())]
    assert names == ["line.html", "line.png", "line_2.html", "line_2.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.safetensors", "{image}", "--out", "{tmp}/out"], "there is no such model file"),
        (["zoo:latin", "{tmp}/empty", "--out", "{tmp}/out"], "there is no image in this folder"),
        (["zoo:latin", "{image}", "--out", "{tmp}"], "line.png: this file is read"),
        (["zoo:latin", "{image}", "--out", "{image}"], "cannot be written (Not a directory)"),
        (["zoo:latin", "{image}", "--out", "{tmp}/out", "--characters", "7-3"], "'7-3' is not a range of characters"),
        (["zoo:latin", "{image}", "--out", "{tmp}/out", "--characters", "50-60"], "there is no character 50"),
        (["zoo:latin", "{image}", "--out", "{tmp}/out", "--steps", "0"], "'0' is not a whole number"),
        (["zoo:latin", "{image}", "{image}", "--out", "{tmp}/out", "--text", "x"], "--text: only for a single image"),
        (["zoo:latin", "{image}", "--out", "{tmp}/full"], "cannot be written"),
    ],
)
def test_refuses(
    arguments: list[str], message: str, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full" / "line.png").mkdir(parents=True)  # where a file should be
    with pytest.raises(SystemExit) as stopped:
        main([a.format(image=image, tmp=tmp_path) for a in arguments] + ["--method", "grad-cam"])
    assert message in f"{stopped.value.code}{capsys.readouterr().err}"
    assert not list(tmp_path.rglob("*.partial"))


def test_without_captum_it_says_what_to_install(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"needs Captum.* pip install 'htr-lightning\[explain\]'"):
        main(["zoo:latin", str(image), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_the_command_line_offers_what_there_is() -> None:
    assert OFFERED == METHODS and build_parser().get_default("steps") == STEPS


def test_foreign_words_stay_words() -> None:
    text = render_page(make_output(id=EVIL), NONE, "grad-cam")
    assert "script" not in Page(text).tags and "&lt;script&gt;" in text and "\u202e" not in text
    draw_explanation(make_output(id=EVIL), NONE)


@pytest.mark.parametrize("width", [1, 90, 540, 541, 3000])
def test_rows_hold_every_column_once(width: int) -> None:
    output = make_output(width=width)
    rows = split_rows(output)
    assert rows[0][0] == 0 and rows[-1][1] == width
    assert all(before[1] == after[0] for before, after in itertools.pairwise(rows))
    assert all(0 < (end - start) * compute_scale(output) <= MAX_WIDTH_PX * 1.01 for start, end in rows)
    found = Attributions(range(0), np.zeros((0, 48, width), np.float32), np.zeros(0, np.float32))
    assert len(draw_rows(output, found)) == len(rows)


def test_ink_takes_the_color_of_its_character() -> None:
    pixels = np.zeros((10, 40), np.uint8)
    maps = np.zeros((2, 10, 40), np.float32)
    maps[0, :, :20], maps[1, :, 20:] = 1, 2
    picture = tint_ink(pixels, Attributions(range(2), maps, np.zeros(2, np.float32))).astype(int)
    assert picture[5, 5, 2] > picture[5, 5, 0] and picture[5, 35, 0] > picture[5, 35, 2]  # blue, orange
    blank = tint_ink(pixels + 255, Attributions(range(2), maps, np.zeros(2, np.float32)))
    assert (blank == 255).all()


def test_shares_are_stacked() -> None:
    picture = draw_stacked([(np.full(3, 0.5), (200, 0, 0)), (np.full(3, 0.25), (0, 200, 0))], 8, (9, 9, 9))
    assert [tuple(int(v) for v in picture[y, 1]) for y in (0, 1, 2, 3, 4, 7)] == [
        (9, 9, 9),
        (9, 9, 9),
        (0, 200, 0),
        (0, 200, 0),
        (200, 0, 0),
        (200, 0, 0),
    ]


def test_a_text_to_look_for(image: Path, tmp_path: Path) -> None:
    main(["zoo:latin", str(image), "--out", str(tmp_path / "out"), "--method", "grad-cam", "--text", "dqns"])
    text = (tmp_path / "out" / "line.html").read_text(encoding="utf-8")
    assert "given text, probability" in text and ">dqns<" in text
    assert text.count('class="bar own"') == 4  # however improbable

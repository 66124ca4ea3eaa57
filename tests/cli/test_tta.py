"""Test-time augmentation."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.typesetting import texts, typeset

import htr_lightning
from htr_lightning.cli import evaluate, predict
from htr_lightning.data.line import Line
from htr_lightning.image.line_image import ImageFile
from htr_lightning.image.transform import Transform
from htr_lightning.image.views import TTA_VIEWS, View
from htr_lightning.model.file import load_model
from htr_lightning.reading.lines import LineReader


@pytest.fixture
def lines(tmp_path: Path) -> list[Line]:
    found = []
    for number, text in enumerate([*texts(10), "une ligne un peu plus longue"]):
        path = tmp_path / f"{number}.png"
        typeset(text, height_px=48).save(path)
        found.append(Line(path.name, ImageFile(path), text))
    return found


def test_the_most_confident_prediction_counts(lines: list[Line]) -> None:
    model = load_model("zoo:latin")
    each = [list(LineReader(model, views=[view]).read(lines)) for view in TTA_VIEWS]
    combined = list(LineReader(model, views=TTA_VIEWS).read(lines))
    chosen = [int(np.argmax([readings[k].confidence for readings in each])) for k in range(len(lines))]
    assert len(set(chosen)) > 1, "otherwise this test shows little"
    for k, reading in enumerate(combined):
        best = each[chosen[k]][k]
        assert (reading.id, reading.text) == (lines[k].id, best.text)
        assert reading.confidence == pytest.approx(best.confidence, abs=1e-5)


def test_characters_stand_where_they_stand_in_the_image(lines: list[Line]) -> None:
    model = load_model("zoo:latin")
    plain, wide = (list(LineReader(model, positions=True, views=[View(width)]).read(lines)) for width in (1, 1.3))
    alike = [(here, there) for here, there in zip(plain, wide, strict=True) if here.text == there.text]
    assert len(alike) >= 3
    for here, there in alike:
        for one, other in zip(here.characters, there.characters, strict=True):
            assert np.abs(np.mean(one.outline, axis=0) - np.mean(other.outline, axis=0)).max() < 6


def test_a_view_is_traced() -> None:
    line = np.full((20, 100), 255, np.uint8)
    line[:, 50:52] = 0
    for width in (0.75, 1.3):
        transform = Transform()
        seen = View(width)(line, transform)
        assert seen.shape == (20, round(100 * width))
        column = float(np.average(np.arange(seen.shape[1]) + 0.5, weights=255.0 - seen[0]))
        assert transform.to_source(np.array([column, 10.0])) == pytest.approx([51, 10], abs=0.3)


def test_the_commands_and_the_program(
    lines: list[Line], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    monkeypatch.setattr(View, "__call__", lambda view, line, transform: looked.append(view.width) or line)
    image = str(tmp_path / "0.png")
    predict.main(["zoo:latin", image, "--lines"])
    assert looked == [1]
    predict.main(["zoo:latin", image, "--lines", "--tta"])
    (tmp_path / "lines.tsv").write_text(f"image\ttext\n0.png\t{lines[0].text}\n")
    evaluate.main(["zoo:latin", "--data", str(tmp_path / "lines.tsv"), "--tta", "--out", str(tmp_path / "out")])
    assert json.loads((tmp_path / "out" / "result.json").read_text())["options"] == {"tta": True}
    assert "with tta" in (tmp_path / "out" / "report.html").read_text()
    htr_lightning.load("zoo:latin", "cpu", tta=True).read_line(image)
    assert looked == [1] + 3 * [view.width for view in TTA_VIEWS]
    with pytest.raises(SystemExit):
        predict.main(["zoo:latin", "--align", str(tmp_path / "lines.tsv"), "--tta"])
    assert "--tta cannot be combined with --align" in capsys.readouterr().err

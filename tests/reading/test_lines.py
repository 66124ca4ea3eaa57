import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.typesetting import typeset
from PIL import Image

from htr_lightning.charset import Charset
from htr_lightning.cli import evaluate, predict
from htr_lightning.data.line import Line
from htr_lightning.image.line_image import ImageFile
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.file import read_model, write_model
from htr_lightning.model.info import ModelFileError, ModelInfo
from htr_lightning.model.network import get_class_path
from htr_lightning.reading.line_formats import FORMATS
from htr_lightning.reading.lines import LineReader

CHARSET = Charset.from_texts(["abcdefghijklmnopqrstuvwxyz "])


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = CRNN(
        CHARSET.num_classes, height_px=32, channels=[8], blocks=[1], strides=[[2, 2]], stem_channels=4, rnn_size=8
    )
    info = ModelInfo(get_class_path(CRNN), network.arguments, CHARSET.to_dict(), Preprocess(height_px=32).to_dict(), 32)
    write_model(tmp_path / "model.safetensors", network.state_dict(), info)
    return tmp_path / "model.safetensors"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(7):
        typeset("abc " * (1 + number)).save(folder / f"{number}.png")
    return folder


def lines(folder: Path) -> list[Line]:
    return [Line(path.name, ImageFile(path), "") for path in sorted(folder.iterdir())]


def test_predictions_keep_the_order_and_do_not_depend_on_the_batch(model_file: Path, images: Path) -> None:
    reader = LineReader(read_model(model_file))
    together = list(reader.read(lines(images)))
    assert [prediction.id for prediction in together] == [f"{i}.png" for i in range(7)]
    for line, prediction in zip(lines(images), together, strict=True):
        (alone,) = reader.read([line])
        assert alone.text == prediction.text
        assert alone.confidence == pytest.approx(prediction.confidence, abs=1e-5) and 0 < alone.confidence <= 1


def test_unusable_images_do_not_stop_the_others(
    model_file: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "3.png").write_bytes(b"nonsense")
    Image.fromarray(np.full((1, 1), 255, np.uint8)).save(images / "4.png")
    Image.fromarray(np.full((32, 60_000), 255, np.uint8)).save(images / "5.png")
    with pytest.raises(SystemExit) as stopped:
        predict.main([str(model_file), str(images), str(images / "none.png"), "--format", "tsv"])
    assert stopped.value.code == 1
    captured = capsys.readouterr()
    assert [row.split("\t")[0].rsplit("/")[-1] for row in captured.out.splitlines()] == [
        "image",
        "0.png",
        "1.png",
        "2.png",
        "6.png",
    ]
    assert len(captured.err.splitlines()) == 4
    for name in ("3.png", "4.png", "5.png", "none.png"):
        assert name in captured.err


def test_output_formats(model_file: Path, images: Path, tmp_path: Path) -> None:
    for form in FORMATS:
        predict.main([str(model_file), str(images), "--format", form, "--out", str(tmp_path / form)])
    texts = (tmp_path / "txt").read_text().splitlines()
    rows = [row.split("\t") for row in (tmp_path / "tsv").read_text().splitlines()]
    objects = json.loads((tmp_path / "json").read_text())
    assert rows[0] == ["image", "text", "confidence"] and len(texts) == 7
    assert [row[1] for row in rows[1:]] == [o["text"] for o in objects] == texts


def test_json_has_the_positions_of_words_and_characters(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "read.json"
    predict.main(["zoo:latin", str(images / "3.png"), "--format", "json", "--out", str(out)])
    (line,) = json.loads(out.read_text())
    with Image.open(images / "3.png") as image:
        width, height = image.size
    assert "".join(c["text"] for c in line["characters"]) == line["text"] != ""
    assert " ".join(w["text"] for w in line["words"]) == line["text"]
    for part in (*line["words"], *line["characters"]):
        left, top, right, bottom = part["box"]
        assert -2 <= left < right <= width + 2 and -2 <= top < bottom <= height + 2 and 0 <= part["confidence"] <= 1
        assert len(part["outline"]) == 4


def test_given_texts_are_aligned(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = manifest(images, ("0.png", "bcd"), ("1.png", "漢"), ("2.png", "ab" * 400))
    with pytest.raises(SystemExit) as stopped:
        predict.main(["zoo:latin", "--align", str(rows), "--format", "json"])
    captured = capsys.readouterr()
    (line,) = json.loads(captured.out)
    assert line["text"] == "bcd" == "".join(c["text"] for c in line["characters"]) and line["confidence"] < 0.01
    unwritable, long = captured.err.splitlines()
    assert "1.png: the model cannot write '漢'" in unwritable and "2.png: its text needs 800 frames" in long
    assert stopped.value.code == 1
    with pytest.raises(SystemExit):
        predict.main(["zoo:latin", "--align", str(rows), str(images)])
    assert "--align cannot be combined with images" in capsys.readouterr().err


def test_characters_are_cropped(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = tmp_path / "cut"
    predict.main(["zoo:latin", str(images / "1.png"), str(images / "2.png"), "--character-crops", str(where)])
    captured = capsys.readouterr()
    head, *rows = [row.split("\t") for row in (where / "index.tsv").read_text(encoding="utf-8").splitlines()]
    assert head[:4] == ["image", "line", "place", "text"]
    texts = captured.out.splitlines()
    assert len(rows) == sum(len(text.replace(" ", "")) for text in texts) and f"{len(rows)} characters" in captured.err
    for image, line, place, text, *_ in rows:
        assert texts[int(line[-5]) - 1][int(place) - 1] == text
        with Image.open(where / image) as crop:
            assert np.asarray(crop).min() < 128, "there is ink in it"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.safetensors", "x.png"], "there is no such model file"),
        (["{model}", "x.png", "--device", "cuda:77"], "--device cuda:77: not available here"),
        (["{model}", "{empty}"], "there is no image in this folder"),
    ],
)
def test_predict_refuses(
    arguments: list[str], message: str, model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as stopped:
        predict.main([a.format(model=model_file, empty=tmp_path / "empty") for a in arguments])
    assert message in f"{stopped.value.code}{capsys.readouterr().err}"


def manifest(folder: Path, *rows: tuple[str, str]) -> Path:
    path = folder / "test.tsv"
    path.write_text("image\ttext\n" + "".join(f"{image}\t{text}\n" for image, text in rows), encoding="utf-8")
    return path


def test_evaluate_counts_unknown_characters_as_errors_and_names_them(
    model_file: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate.main([str(model_file), "--data", str(manifest(images, ("0.png", "ééa"), ("1.png", "a ñ")))])
    captured = capsys.readouterr()
    assert "'é' (U+00E9 LATIN SMALL LETTER E WITH ACUTE), 2 x in the transcriptions" in captured.err
    assert "'ñ' (U+00F1" in captured.err
    result = json.loads(captured.out)
    assert result["lines"] == 2 and result["cer"] >= 3 / 6


def test_evaluate_gives_an_interval_over_the_writers(
    model_file: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def result(column: str, *more: str) -> dict[str, float]:
        rows = "".join(f"{n}.png\t{'abc ' * (1 + n)}\tw{n % 2}\n" for n in range(7))
        (images / "data.tsv").write_text(f"image\ttext\t{column}\n{rows}")
        evaluate.main([str(model_file), "--data", str(images / "data.tsv"), *more])
        return dict(json.loads(capsys.readouterr().out))

    by_writer, by_line = result("writer"), result("remark")
    assert (by_writer["groups"], by_line["groups"]) == (2, 7)
    for scores in (by_writer, by_line):
        assert scores["cer_low"] <= scores["cer"] <= scores["cer_high"]
    assert result("remark", "--group-column", "remark") == by_writer


def test_evaluate_stops_at_unusable_lines_unless_told_otherwise(
    model_file: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = manifest(images, ("0.png", "abc"), ("gone.png", "abc"), ("1.png", ""))
    with pytest.raises(SystemExit, match=r"2 of 3 lines cannot be used; .* --max-skipped 2"):
        evaluate.main([str(model_file), "--data", str(path)])
    errors = capsys.readouterr().err
    assert "gone.png" in errors and "1.png: the text is empty" in errors
    evaluate.main([str(model_file), "--data", str(path), "--max-skipped", "2"])
    result = json.loads(capsys.readouterr().out)
    assert (result["lines"], result["skipped"]) == (1, 2)


def test_predict_with_nothing_to_draw_names_the_images(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        predict.main([str(model_file), "bad.png", "--visualize", str(tmp_path / "p.png")])
    assert stopped.value.code == 1 and "bad.png" in capsys.readouterr().err


def test_evaluate_on_nothing(model_file: Path, images: Path) -> None:
    with pytest.raises(SystemExit, match="there is no line to evaluate"):
        evaluate.main([str(model_file), "--data", str(manifest(images))])
    with pytest.raises(SystemExit, match="none of its 1 lines can be used"):
        evaluate.main([str(model_file), "--data", str(manifest(images, ("0.png", ""))), "--max-skipped", "1"])


def test_evaluate_without_data(model_file: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"none\.tsv"):
        evaluate.main([str(model_file), "--data", str(tmp_path / "none.tsv")])


def test_logits_that_are_not_finite(model_file: Path, tmp_path: Path) -> None:
    model = read_model(model_file)
    with torch.no_grad():
        model.network.head.bias.fill_(float("nan"))
    Image.new("L", (200, 40), 255).save(tmp_path / "blank.png")
    with pytest.raises(ModelFileError, match="not finite"):
        list(LineReader(model).read([Line("blank", ImageFile(tmp_path / "blank.png"), "")]))

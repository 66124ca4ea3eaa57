"""The command ``train-lm``, from texts to a file and a sentence."""

from pathlib import Path

import pytest

from htr_lightning.cli import train_lm as command
from htr_lightning.lm.arpa import read_arpa
from htr_lightning.lm.kneser_ney import train_ngram


def test_manifests_and_plain_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.tsv").write_text("image\ttext\n1.png\tle  chat\n2.png\tune cafe\u0301\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("\ufeffla nuit\n\n", encoding="utf-8")
    out = tmp_path / "m.arpa"
    command.main(
        [*map(str, tmp_path.glob("[ab].*")), "-o", str(out), "--order", "3", "--held-out", str(tmp_path / "b.txt")]
    )
    shown = capsys.readouterr().out
    assert f"{out}: " in shown and "up to order 3" in shown and "from " in shown and "bits per character" in shown
    expected = train_ngram(["le chat", "une caf\u00e9", "la nuit"], 3)
    assert read_arpa(out).log_probability("la café") == pytest.approx(expected.log_probability("la café"), abs=1e-3)


def test_a_manifest_of_texts_needs_no_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("text\nein\neine\n", encoding="utf-8")
    command.main([str(tmp_path / "a.csv"), "-o", str(tmp_path / "a.arpa"), "--order", "2"])
    assert "from 2 lines with 7 characters" in capsys.readouterr().out


def test_what_cannot_be_read_or_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("text\n")
    (tmp_path / "b.txt").write_bytes(b"\xff\xe9")
    (tmp_path / "empty.txt").touch()
    for texts, order, out, words in (
        ("none.txt", "6", "m.arpa", "none.txt: there is no such file"),
        ("none.tsv", "6", "m.arpa", "none.tsv"),
        ("b.txt", "6", "m.arpa", "b.txt: row 1 is not UTF-8"),
        ("empty.txt", "6", "m.arpa", "there is no text to train on"),
        ("a.txt", "6", "nowhere/m.arpa", "cannot be written"),
    ):
        with pytest.raises(SystemExit, match=words):
            command.main([str(tmp_path / texts), "-o", str(tmp_path / out), "--order", order])
    with pytest.raises(SystemExit) as stopped:
        command.main([str(tmp_path / "a.txt"), "-o", str(tmp_path / "m.arpa"), "--order", "12"])
    assert stopped.value.code == 2 and "--order 12" in capsys.readouterr().err
    assert not (tmp_path / "m.arpa").exists()

"""The whole command: errors planted in a dataset are found and named, and a healthy one is called healthy."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.made_up import HealthySet, sentences
from PIL import Image

from htr_lightning.charset import Charset
from htr_lightning.cli import doctor as command
from htr_lightning.data.augment import Augment
from htr_lightning.data.module import LineDataModule
from htr_lightning.data.sources.lines import Lines
from htr_lightning.image.files import DataError
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.crnn import CRNN
from htr_lightning.model.file import write_model
from htr_lightning.model.info import ModelInfo


def doctor(root: Path, *arguments: str) -> int:
    """Run the command in this process, and return its exit status."""
    with pytest.raises(SystemExit) as ended:
        command.main(["dataset=lines", f"dataset.root={root}", *arguments])
    assert isinstance(ended.value.code, int), ended.value.code
    return ended.value.code


def report(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def found(folder: Path, key: str) -> dict[str, Any]:
    (finding,) = [finding for finding in report(folder)["findings"] if finding["key"] == key]
    return finding


def ids(finding: dict[str, Any]) -> list[str]:
    return [line["id"] for line in finding["lines"]]


def test_a_healthy_set_is_called_healthy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = HealthySet(tmp_path / "set").write()
    assert doctor(root, "--strict", "--out", str(tmp_path / "out")) == 0
    assert report(tmp_path / "out")["verdict"] == "healthy"
    assert all(finding["severity"] == "note" for finding in report(tmp_path / "out")["findings"])
    shown = capsys.readouterr().out
    assert "Verdict: healthy" in shown and "report.html" in shown
    assert report(tmp_path / "out")["splits"]["train"]["lines"] == 60


LONG = "dit le roi au bel ami qui rit mal et non"
PLANTED = {
    "damaged_images": ("error", "train/60.png"),
    "missing_images": ("error", "train/61.png"),
    "empty_texts": ("error", "val/12.png"),
    "wide_images": ("error", "train/62.png"),
    "small_images": ("error", "train/63.png"),
    "too_short": ("error", "train/64.png"),
    "test_lines_in_train": ("warning", "test/12.png"),
    "contradictions": ("warning", "train/66.png"),
    "test_groups_in_train": ("warning", "test/13.png"),
    "unknown_characters_val": ("warning", "val/13.png"),
    "stray_letters": ("warning", "train/67.png"),
    "not_nfc": ("note", "train/68.png"),
    "val_texts_in_train": ("warning", "val/14.png"),
    "invisible_characters": ("warning", "train/70.png"),
    "suspicious_lines": ("warning", "train/71.png"),
    "faint_images": ("warning", "train/72.png"),
    "lookalikes": ("warning", "train/74.png"),
    "rotated_lines": ("warning", "train/75.png"),
}
"""Kind of finding -> its severity, and the line it must name."""


def sick_set(root: Path) -> Path:
    made = HealthySet(root)
    damaged = made.add("train", "moitie perdue")  # 60
    damaged.write_bytes(damaged.read_bytes()[:-200])
    made.add("train", "image perdue").unlink()  # 61
    made.add("val", "", drawn="que dit cela")  # val 12
    Image.new("L", (6000, 32), 255).save(made.add("train", "trop large"))  # 62
    Image.new("L", (50, 1), 255).save(made.add("train", "trop mince"))  # 63
    made.add("train", "illicite " * 20, drawn="illi")  # 64
    made.add("train", "deux fois la")  # 65
    made.add("test", "deux fois la")  # test 12: the very same image
    made.add("train", "non dit", drawn="deux fois la")  # 66: and again, with another text
    made.add("test", "connu", writer="train-1")  # test 13
    made.add("val", "lenteur ñ", drawn="lenteur n")  # val 13
    made.add("train", "mаison du roi", drawn="maison du roi")  # 67: a Cyrillic а
    made.add("train", "cre\u0300me", drawn="creme")  # 68
    made.add("train", LONG)  # 69
    made.add("val", LONG.replace("mal", "mai") + ".")  # val 14
    made.add("train", "mot\u200b cache", drawn="mot cache")  # 70
    made.add("train", "le texte est celui d une autre ligne, bien plus longue", drawn="la ligne ici")  # 71
    Image.new("L", (300, 32), 240).save(made.add("train", "page sans encre ici"))  # 72
    made.add("train", "l'ami d'un ami")  # 73
    made.add("train", "l’ami d'un bon ami")  # 74
    made.add("train", "debout a tort").with_suffix(".png")  # 75
    path = root / "train/75.png"
    Image.open(path).rotate(90, expand=True).save(path)
    return made.write()


def test_every_planted_error_is_found_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert doctor(sick_set(tmp_path / "set"), "preprocess.max_width_px=4000", "--out", str(out)) == 1
    shown = " ".join(capsys.readouterr().out.split())
    page = (out / "report.html").read_text(encoding="utf-8")
    for key, (severity, id) in PLANTED.items():
        finding = found(out, key)
        assert finding["severity"] == severity, key
        assert id in ids(finding), key
        assert finding["title"] in shown, key
        assert id in page, key
    assert report(out)["verdict"] == "not usable" and "Verdict: not usable" in shown
    assert ids(found(out, "test_lines_in_train")) == ["test/12.png"]
    # Five that cannot be used, and three whose text is too long: 64, and those in place of others, 71 and 75.
    assert found(out, "missing_images")["remedy"].endswith("or skip all such lines with loader.max_skipped=8")


def test_training_refuses_and_takes_what_the_doctor_says(tmp_path: Path) -> None:
    root = sick_set(tmp_path / "set")
    preprocess = Preprocess(max_width_px=4000)

    def set_up(max_skipped: int) -> None:
        data = LineDataModule(
            Lines(str(root)), preprocess, Augment(), cache_dir=str(tmp_path / "packed"), max_skipped=max_skipped
        )
        data.setup()
        data.drop_infeasible(CRNN(2).frame_lengths)

    set_up(8)
    with pytest.raises(DataError, match=r"loader\.max_skipped=8"):
        set_up(7)


def test_what_training_puts_up_with_is_a_warning(tmp_path: Path) -> None:
    made = HealthySet(tmp_path / "set")
    made.add("train", "absent").unlink()
    root = made.write()
    assert doctor(root) == 1
    assert doctor(root, "loader.max_skipped=1", "--out", str(tmp_path / "out")) == 0
    assert found(tmp_path / "out", "missing_images")["severity"] == "warning"
    assert doctor(root, "loader.max_skipped=1", "--strict") == 1


def test_the_model_decides_what_is_too_short(tmp_path: Path) -> None:
    made = HealthySet(tmp_path / "set")
    made.add("train", "bonne nuit " * 3, drawn="bonne nuit bon")
    root = made.write()
    assert doctor(root, "loader.max_skipped=1", "+model.stem_stride=[2,4]", "--out", str(tmp_path / "out")) == 0
    assert "its 32 characters need" in found(tmp_path / "out", "too_short")["lines"][0]["reason"]
    assert doctor(root, "--out", str(tmp_path / "out")) == 0
    assert "too_short" not in [finding["key"] for finding in report(tmp_path / "out")["findings"]]


def test_a_model_to_start_from_brings_its_own_charset_and_frames(tmp_path: Path) -> None:
    made = HealthySet(tmp_path / "set")
    made.add("val", "ñandu", writer="val-1")
    charset = Charset.from_texts(["abcdefghijklmnopqrstuvwxyz ñ"])
    network = CRNN(charset.num_classes, height_px=32, channels=[8], blocks=[1], strides=[[2, 2]], stem_stride=[2, 8])
    info = ModelInfo(
        "htr_lightning.model.crnn.CRNN",
        network.arguments,
        charset.to_dict(),
        Preprocess(height_px=32).to_dict(),
        width_step_px=32,
        scores={},
    )
    write_model(tmp_path / "model.safetensors", network.state_dict(), info)
    start = [
        "stage=finetune",
        f"stage.start_from={tmp_path / 'model.safetensors'}",
        "model=loaded",
        "preprocess=loaded",
    ]
    out = tmp_path / "out"
    assert doctor(made.write(), *start, "--out", str(out)) == 1
    assert report(out)["settings"]["preprocess.height_px"] == 32
    kinds = [finding["key"] for finding in report(out)["findings"]]
    assert "too_short" in kinds and "unknown_characters_val" not in kinds


def test_own_configs_are_found(tmp_path: Path) -> None:
    root = HealthySet(tmp_path / "set").write()
    (tmp_path / "con'f" / "dataset").mkdir(parents=True)
    (tmp_path / "con'f" / "dataset" / "mine.yaml").write_text(
        f"_target_: htr_lightning.data.sources.lines.Lines\nroot: {root}\n"
    )
    with pytest.raises(SystemExit) as ended:
        command.main(["dataset=mine", "--config-dir", str(tmp_path / "con'f")])
    assert ended.value.code == 0


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["dataset=lines", "dataset.root=nowhere"], 1, "dataset.root=nowhere: there is no such folder"),
        (["dataset=lines"], 2, "dataset.root: required"),
        (["dataset=nonsense"], 2, "nonsense"),
        (["dataset=pages", "dataset.root=."], 2, "dataset: PageLayouts has no method lines; add it to the class, or"),
        (["dataset=lines", "dataset.root=.", "preprocess.height_px=1"], 2, "preprocess.height_px=1"),
        (["dataset=lines", "dataset.root=.", "+dataset.split_ratios=[1,1,1]"], 1, "dataset.split_ratios=[1, 1, 1]"),
        (["stage=finetune", "stage.start_from=nowhere.safetensors", "model=loaded"], 2, "nowhere.safetensors"),
        (["--config-dir", "nowhere"], 2, "--config-dir nowhere: there is no such folder"),
    ],
)
def test_what_cannot_be_looked_at_is_one_sentence(
    arguments: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    said = capsys.readouterr().err
    code = ended.value.code
    assert (code if isinstance(code, int) else 1) == status
    assert message in (said if isinstance(code, int) else str(code))


def test_out_is_checked_before_the_reading(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        command.main(["dataset=lines", "dataset.root=nowhere", "--out", str(tmp_path / "file")])
    assert ended.value.code == 2 and "cannot be written" in capsys.readouterr().err


def test_a_split_of_nothing_but_copies_is_an_error(tmp_path: Path) -> None:
    made = HealthySet(tmp_path / "set")
    made.rows["val"] = made.rows["train"][:20]
    root = made.write()
    assert doctor(root, "--out", str(tmp_path / "out")) == 1
    assert found(tmp_path / "out", "val_lines_in_train")["severity"] == "error"
    assert doctor(root, "loader.max_shared=1") == 0


def test_fonts_are_shared_on_purpose(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(
            [
                "dataset=synthetic",
                "dataset.num_train=40",
                "+dataset.num_val=8",
                "+dataset.num_test=8",
                "--out",
                str(tmp_path),
            ]
        )
    assert ended.value.code == 0
    finding = found(tmp_path, "val_groups_in_train")
    assert finding["severity"] == "note" and "fonts, shared intentionally" in finding["remedy"]


def test_the_command_is_in_the_table(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv[1:] = ['doctor', '--help']; import htr_lightning.__main__ as m\n"
        "try: m.main()\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert 'torch' not in sys.modules and 'cv2' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "--strict" in done.stdout


def test_sentences_for_tests_are_unlike_each_other() -> None:
    assert len(set(sentences(200))) == 200

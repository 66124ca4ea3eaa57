import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.made_up import keys
from helpers.typesetting import typeset

from htr_lightning.charset import Charset
from htr_lightning.data.line import SPLITS
from htr_lightning.data.pack import pack
from htr_lightning.data.sources.lines import Lines
from htr_lightning.doctor.facts import Settings
from htr_lightning.doctor.finding import AffectedLine, Finding
from htr_lightning.doctor.quick import check_packed_lines, log_warnings, raise_for_errors
from htr_lightning.image.files import DataError
from htr_lightning.image.preprocess import Preprocess

PACKAGE = Path(__file__).parents[2] / "htr_lightning" / "doctor"


def quick(root: Path, charset: Charset | None = None, settings: Settings | None = None) -> list[Finding]:
    source = Lines(str(root))
    packed = {
        split: pack(source.lines(split), Preprocess(height_px=32), root / "packed", name=split) for split in SPLITS
    }
    return check_packed_lines(
        packed, charset or Charset.from_texts(packed["train"].column("text")), settings or Settings()
    )


def add(root: Path, split: str, name: str, text: str) -> None:
    manifest = root / f"{split}.tsv"
    manifest.write_text(manifest.read_text(encoding="utf-8") + f"{split}/{name}\t{text}\n", encoding="utf-8")


def test_characters_that_train_lacks_are_named(small_set: Path) -> None:
    add(small_set, "val", "x.png", "ñañ")
    typeset("xx").save(small_set / "val" / "x.png")
    (finding,) = [finding for finding in quick(small_set) if finding.key == "unknown_characters_val"]
    assert "'ñ' (U+00F1 LATIN SMALL LETTER N WITH TILDE) 2 times" in finding.title


def test_a_charset_that_is_carried_over_counts(small_set: Path) -> None:
    add(small_set, "val", "x.png", "ñañ")
    typeset("xx").save(small_set / "val" / "x.png")
    charset = Charset.from_texts([line.text for line in Lines(str(small_set)).lines("train")]).extend(["ñ"])
    assert "unknown_characters_val" not in keys(quick(small_set, charset))


def test_a_copied_image_in_another_split_is_found(small_set: Path) -> None:
    shutil.copy(small_set / "val" / "3.png", small_set / "test" / "3.png")
    (finding,) = [finding for finding in quick(small_set) if finding.key == "test_lines_in_val"]
    assert "test/3.png" in [line.id for line in finding.lines]


def test_invisible_characters_and_lookalikes_are_found(small_set: Path) -> None:
    add(small_set, "train", "x.png", "l'ami l’ami\u200b mаl")
    typeset("xx").save(small_set / "train" / "x.png")
    assert {"invisible_characters", "lookalikes", "stray_letters"} <= set(keys(quick(small_set)))


def test_notes_are_left_to_the_doctor(small_set: Path) -> None:
    assert all(finding.severity != "note" for finding in quick(small_set))


def test_errors_stop_the_run_and_say_all() -> None:
    named = [AffectedLine("val", f"v{number}") for number in range(5)]
    errors = [
        Finding("a", "error", "4 lines of val are in train too", 4, "take them out", named),
        Finding("b", "warning", "odd", 1),
        Finding("c", "error", "another", 1, "mend it", [AffectedLine("train", "t")]),
    ]
    with pytest.raises(DataError) as caught:
        raise_for_errors(errors)
    first, second = str(caught.value).splitlines()
    assert first == "4 lines of val are in train too (v0, v1, v2 and 2 more); take them out"
    assert second == "another (t); mend it"
    raise_for_errors(errors[1:2])


def test_warnings_are_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    log_warnings(
        [Finding("b", "warning", "odd letters", 1, "x", [AffectedLine("val", "v")]), Finding("n", "note", "so", 1)]
    )
    assert caplog.messages == [
        "odd letters: v",
        "for details, run python -m htr_lightning doctor with the same dataset=...",
    ]
    caplog.clear()
    log_warnings([])
    assert not caplog.messages


def test_the_analysis_needs_neither_torch_nor_hydra() -> None:
    names = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "command")
    code = f"import sys, {', '.join(f'htr_lightning.doctor.{name}' for name in names)}\n" + (
        "sys.exit(any(name in sys.modules for name in ('torch', 'lightning', 'hydra')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

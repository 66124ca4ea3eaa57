import os
import subprocess
import sys
from pathlib import Path

from helpers.iam_archive import write_iam

from htr_lightning.model.file import load_model
from htr_lightning.model.info import read_info


def test_finetuning_needs_nothing_but_the_archive(tmp_path: Path) -> None:
    write_iam(tmp_path / "iam")
    settings = ["trainer.max_epochs=1", "trainer.accelerator=cpu", f"loader.cache_dir={tmp_path / 'packed'}"]
    command = [sys.executable, "-m", "htr_lightning", "+experiment=finetune_iam", f"hydra.run.dir={tmp_path / 'run'}"]
    done = subprocess.run(
        [*command, *settings],
        env=os.environ | {"HTR_DATA": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    info = read_info(tmp_path / "run" / "model.safetensors")
    start = load_model("zoo:latin").info
    assert info.charset["characters"][: len(start.charset["characters"])] == start.charset["characters"]
    assert "#" in info.charset["characters"] and info.preprocess == start.preprocess
    assert {"val/cer", "test/cer"} <= info.scores.keys() and info.data["name"] == "Iam"

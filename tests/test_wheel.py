"""The wheel is complete: the package works without the repository."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import htr_lightning

REPOSITORY = Path(__file__).parent.parent

Run = Callable[..., str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Build and unpack a wheel; return a function that runs ``python -m htr_lightning`` from it."""
    wheels, site, work = (tmp_path_factory.mktemp(name) for name in ("wheels", "site", "work"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(wheels), str(REPOSITORY)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)], check=True)

    assert (site / "htr_lightning" / "py.typed").is_file()
    assert (site / "hydra_plugins" / "htr_lightning_study.py").is_file()
    assert not (site / "hydra_plugins" / "__init__.py").exists(), "it would hide the plugins of other packages"

    def run(*arguments: str) -> str:
        # An editable installation puts the repository on sys.path; remove it in favor of the unpacked wheel.
        code = (
            f"import sys; repository = {str(REPOSITORY)!r}; "
            "sys.path = [p for p in sys.path if not p.startswith(repository) or 'site-packages' in p]; "
            f"sys.path.insert(0, {str(site)!r}); import htr_lightning.__main__ as m; "
            f"assert m.__file__.startswith({str(site)!r}), m.__file__; m.main()"
        )
        process = subprocess.run([sys.executable, "-c", code, *arguments], cwd=work, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr
        return process.stdout

    return run


def test_version_is_printed(run: Run) -> None:
    assert run("--version") == f"htr_lightning {htr_lightning.__version__}\n"


def test_configurations_are_included(run: Run) -> None:
    config = run("+experiment=finetune_lines", "hydra/sweeper=study", "--cfg", "job")
    assert "start_from: zoo:latin" in config
    assert "finetune_iam" in run("--help")


def test_models_are_included(run: Run, tmp_path: Path) -> None:
    names = run("zoo").splitlines()
    assert {"zoo:latin", "zoo:latin-large"} <= set(names)
    card = run("zoo", "latin-large")
    assert "CC-BY-SA-4.0" in card and "HTR School Vienna" in card
    assert any("zoo:lm-fr" in name for name in names) and "CC BY-SA 4.0" in run("zoo", "lm-fr")
    exported = tmp_path / "model.safetensors"
    run("export", "zoo:latin", "--out", str(exported))
    assert exported.is_file()


def test_templates_and_style_sheets_of_reports_are_in_it(run: Run, tmp_path: Path) -> None:
    Image.new("L", (200, 48), 255).save(tmp_path / "blank.png")
    (tmp_path / "lines.tsv").write_text("image\ttext\nblank.png\tun\n", encoding="utf-8")
    run("evaluate", "zoo:latin", "--data", str(tmp_path / "lines.tsv"), "--out", str(tmp_path / "out"))
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<h2>Scores</h2>" in page and ".tile {" in page

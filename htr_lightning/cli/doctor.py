"""``python -m htr_lightning doctor``: look at the lines of a data set before training on them."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from htr_lightning.data.line import Line, Split
    from htr_lightning.doctor.diagnosis import Diagnosis
    from htr_lightning.doctor.facts import Settings
    from htr_lightning.image.preprocess import Preprocess


def main(argv: Sequence[str] | None = None) -> None:
    """Read every line once, and say what is wrong with the data set.

    Raises:
        SystemExit: 0 without faults (with ``--strict``: without warnings), else 1, also with a message when the data
            cannot be read at all; 2 for a wrong command line or configuration.
    """
    parser = parser_of_doctor()
    options = parser.parse_intermixed_args(argv)
    if options.out is not None:  # before minutes of reading
        _claim(options.out, parser)

    from concurrent.futures.process import BrokenProcessPool

    from hydra.errors import HydraException
    from rich.console import Console

    from htr_lightning.config.compose import compose_config
    from htr_lightning.config.schema import ConfigError
    from htr_lightning.data.line import SPLITS
    from htr_lightning.doctor.finding import exit_status
    from htr_lightning.doctor.terminal import print_report
    from htr_lightning.image.files import DataError
    from htr_lightning.model.info import ModelFileError
    from htr_lightning.training.build import build_parts, build_settings

    try:
        cfg = compose_config(options.overrides, options.config_dir)
        parts = build_parts(cfg)
        lines: Lines = {split: parts.source.lines(split) for split in SPLITS}
        settings, preprocess = build_settings(cfg, parts), parts.preprocess
        diagnosis = examine_all(cfg, lines, preprocess, settings, " ".join(options.overrides) or "dataset=synthetic")
        console = Console(soft_wrap=True, highlight=False)
        print_report(diagnosis, console)
        if options.out is not None:
            write_report(diagnosis, lines, preprocess, options.out, cfg.seed)
            console.print(f"The whole of it: {options.out / 'report.html'}, and report.json for scripts", markup=False)
    except (ConfigError, ModelFileError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    except HydraException as error:  # a constructor refuses its arguments
        print(error.__cause__ or error, file=sys.stderr)
        raise SystemExit(1 if isinstance(error.__cause__, DataError) else 2) from None
    except DataError as error:
        raise SystemExit(f"The data set cannot be read: {error}") from None
    except BrokenProcessPool:
        raise SystemExit(
            "A preprocessing worker was killed (out of memory?); use fewer workers: +loader.num_pack_workers=1"
        ) from None
    raise SystemExit(exit_status(diagnosis.findings, strict=options.strict))


def parser_of_doctor() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning doctor",
        description="Look at a data set before training on it: read every line once, and report what is wrong, "
        "what training would refuse, and what makes scores look better than they are.",
        epilog="Exit status: 0 without faults, 1 with faults, 2 for a wrong command line.",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        help="the data set and all else, as for training: dataset=... dataset.KEY=VALUE model=...",
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="folder for report.html and report.json")
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings too")
    parser.add_argument("--config-dir", type=Path, metavar="DIR", help="folder with dataset files of your own")
    return parser


def _claim(folder: Path, parser: argparse.ArgumentParser) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {folder}: cannot be made ({error.strerror})")
    if not os.access(folder, os.W_OK | os.X_OK):
        parser.error(f"--out {folder}: cannot be written")


Lines = dict["Split", Sequence["Line"]]


def examine_all(
    cfg: "DictConfig", lines: Lines, preprocess: "Preprocess", settings: "Settings", title: str
) -> "Diagnosis":
    """Read all lines, in parallel and with a bar, and diagnose them."""
    from htr_lightning.device import count_cores
    from htr_lightning.doctor.diagnosis import diagnose
    from htr_lightning.doctor.facts import facts_of
    from htr_lightning.progress import show_progress

    workers = cfg.loader.get("num_pack_workers") or count_cores()
    facts = {
        split: facts_of(split, rows, preprocess, num_workers=workers, progress=show_progress)
        for split, rows in lines.items()
    }
    return diagnose(facts, settings, title)


def write_report(diagnosis: "Diagnosis", lines: Lines, preprocess: "Preprocess", folder: Path, seed: int) -> None:
    """Write ``report.html`` and ``report.json``.

    Raises:
        SystemExit: the folder cannot be written any more.
    """
    from htr_lightning.doctor.diagnosis import to_json
    from htr_lightning.doctor.html import render_page
    from htr_lightning.doctor.sheet import draw_sheet
    from htr_lightning.files import write_json, write_text

    page = render_page(diagnosis, draw_sheet(diagnosis, lines, preprocess, seed))
    try:
        write_text(folder / "report.html", page)
        write_json(folder / "report.json", to_json(diagnosis))
    except OSError as error:
        raise SystemExit(f"--out {folder}: cannot be written ({error.strerror})") from None


if __name__ == "__main__":
    main()

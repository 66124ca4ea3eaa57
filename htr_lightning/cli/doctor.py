"""``python -m htr_lightning doctor``: check a dataset before training on it."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.console import UsageError, exit_with_message
from htr_lightning.cli.options import add_config_dir_option, add_overwrite_option
from htr_lightning.errors import InputError
from htr_lightning.files import OutputError, check_writable, report_write_errors
from htr_lightning.report.outputs import REPORT, Output, check_outputs, json_kind

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from htr_lightning.data.line import LeftOut, Line, Split
    from htr_lightning.doctor.diagnosis import Diagnosis
    from htr_lightning.doctor.facts import Facts, Settings
    from htr_lightning.image.preprocess import Preprocess

Lines = dict["Split", Sequence["Line"]]


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Read every line once, and report what is wrong with the dataset.

    Raises:
        SystemExit: 0 without errors (with ``--strict``: without warnings), else 1, also with a message if the data
            cannot be read at all; 2 for a wrong command line or configuration.
    """
    options = build_parser().parse_intermixed_args(argv)
    if options.out is not None:
        check_output(options.out, overwrite=options.overwrite)

    from rich.console import Console

    from htr_lightning.data.line import list_replaced_outlines
    from htr_lightning.doctor.diagnosis import diagnose
    from htr_lightning.doctor.finding import get_exit_status
    from htr_lightning.doctor.terminal import print_report

    cfg = compose_config(options)
    lines, preprocess, settings, left_out = prepare(cfg)
    facts = collect_all(cfg, lines, preprocess)
    replaced = {split: list_replaced_outlines(lines[split]) for split in lines}
    diagnosis = diagnose(facts, settings, " ".join(options.overrides) or "dataset=synthetic", left_out, replaced)
    console = Console(soft_wrap=True, highlight=False)
    print_report(diagnosis, console)
    if options.out is not None:
        write_report(diagnosis, lines, preprocess, options.out, cfg.seed)
        console.print(f"Complete report: {options.out / 'report.html'}, for scripts: report.json", markup=False)
    raise SystemExit(get_exit_status(diagnosis.findings, strict=options.strict))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning doctor",
        description="Check a dataset before training on it: read every line once, and report what training would "
        "reject, what makes scores too good to be true, and what no model can learn.",
        epilog="Exit status: 0 if there are no errors (with --strict: no warnings, either), 1 if there are, 2 for a "
        "wrong command line.",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="the configuration, as for training: dataset=... dataset.KEY=VALUE model=...",
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="folder for report.html and report.json")
    add_overwrite_option(parser)
    parser.add_argument("--strict", action="store_true", help="exit with status 1 for warnings, too")
    add_config_dir_option(parser)
    return parser


def check_output(folder: Path, *, overwrite: bool) -> None:
    """Check, before the lines are read, that the report can be written.

    Raises:
        UsageError: the folder cannot be written, or has other files of these names.
    """
    report = Output(folder / "report.html", REPORT, folder=folder)
    numbers = Output(folder / "report.json", json_kind("format"), folder=folder)
    try:
        check_writable(folder, "--out")
        check_outputs([report, numbers], [], overwrite=overwrite)
    except OutputError as error:
        raise UsageError(str(error)) from None


def compose_config(options: argparse.Namespace) -> "DictConfig":
    """Compose and validate the configuration.

    Raises:
        UsageError: an override is wrong.
    """
    from htr_lightning.config import compose
    from htr_lightning.config.schema import ConfigError

    try:
        return compose.compose_config(options.overrides, options.config_dir)
    except ConfigError as error:
        raise UsageError(str(error)) from None


def prepare(cfg: "DictConfig") -> "tuple[Lines, Preprocess, Settings, dict[Split, LeftOut]]":
    """Build what training would build from a configuration, up to the list of lines, and list what it leaves out.

    Raises:
        UsageError: a constructor refuses its arguments, or the model to start from cannot be used.
        DataError: the dataset cannot be read.
    """
    from htr_lightning.config.build import unwrap_errors
    from htr_lightning.data.line import SPLITS, SelectiveSource
    from htr_lightning.image.files import DataError
    from htr_lightning.training.build import build_parts, build_settings

    try:
        with unwrap_errors():
            parts = build_parts(cfg)
            settings = build_settings(cfg, parts)
    except DataError:
        raise
    except InputError as error:
        raise UsageError(str(error)) from None
    lines: Lines = {split: parts.source.lines(split) for split in SPLITS}
    source = parts.source
    left_out = {split: source.left_out(split) for split in SPLITS} if isinstance(source, SelectiveSource) else {}
    return lines, parts.preprocess, settings, left_out


def collect_all(cfg: "DictConfig", lines: Lines, preprocess: "Preprocess") -> "Facts":
    """Read all lines, in parallel and with a progress bar."""
    from htr_lightning.device import count_cores
    from htr_lightning.doctor.facts import collect_facts
    from htr_lightning.progress import show_progress

    workers = cfg.loader.get("num_pack_workers") or count_cores()
    return {
        split: collect_facts(split, rows, preprocess, num_workers=workers, progress=show_progress)
        for split, rows in lines.items()
    }


def write_report(diagnosis: "Diagnosis", lines: Lines, preprocess: "Preprocess", folder: Path, seed: int) -> None:
    """Write ``report.html`` and ``report.json``.

    Raises:
        OutputError: the folder cannot be written.
    """
    from htr_lightning.doctor.contact_sheet import draw_contact_sheet
    from htr_lightning.doctor.diagnosis import to_json
    from htr_lightning.doctor.html import render_page
    from htr_lightning.files import write_json, write_text

    page = render_page(diagnosis, draw_contact_sheet(diagnosis, lines, preprocess, seed))
    with report_write_errors(folder, "--out"):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "report.html", page)
        write_json(folder / "report.json", to_json(diagnosis))


if __name__ == "__main__":
    main()

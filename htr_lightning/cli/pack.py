"""``python -m htr_lightning pack``: preprocess the lines of a dataset once, into files that many runs share."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from htr_lightning.cli.console import UsageError, exit_with_message, print_result
from htr_lightning.cli.options import (
    add_config_dir_option,
    add_overwrite_option,
    add_shard_option,
    parse_shard,
    positive_int,
)
from htr_lightning.errors import InputError
from htr_lightning.files import check_writable, report_write_errors
from htr_lightning.text import format_count

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from htr_lightning.data.pack_set import PackResult
    from htr_lightning.training.build import Parts

_MAX_NAMED = 5  # files in a message


@exit_with_message()
def main(argv: Sequence[str] | None = None) -> None:
    """Write the packed files of a dataset, or those of one shard.

    Raises:
        SystemExit: the dataset or the folder cannot be used, or more than ``loader.max_skipped`` lines cannot be used;
            2 for a wrong command line or configuration.
    """
    options = build_parser().parse_intermixed_args(argv)
    shard = parse_shard(options)
    check_writable(options.out, "--out")

    from htr_lightning.data.pack_set import pack_set, plan_files, refuse_other_set
    from htr_lightning.data.unusable import refuse_or_skip
    from htr_lightning.device import count_cores
    from htr_lightning.progress import show_progress

    cfg, parts = build_parts(options)
    files = plan_files(parts.source, parts.preprocess, options.out, options.lines_per_file)
    if shard is not None and not shard.take(files):
        raise InputError(
            f"the dataset makes only {format_count(len(files), 'file')}",
            key="--shard",
            value=options.shard,
            remedy=f"use at most {len(files)} shards, or a lower --lines-per-file for all of them",
        )
    with report_write_errors(options.out, "--out"):
        options.out.mkdir(parents=True, exist_ok=True)
        refuse_other_set(options.out, files, overwrite=options.overwrite)
        result = pack_set(
            files,
            parts.preprocess,
            shard=shard,
            num_workers=cfg.loader.get("num_pack_workers") or count_cores(),
            progress=show_progress,
        )
    print_result(describe_result(result, options.out))
    refuse_or_skip("cannot be used", result.skipped, cfg.loader.max_skipped)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning pack",
        description="Preprocess the lines of a dataset once, in parallel, and pack them into files that "
        "dataset=packed reads: runs on any machine start at once, however many lines there are. Run again, it writes "
        "only what is missing or has changed.",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="the dataset and its preprocessing, as for training: dataset=... dataset.KEY=VALUE preprocess.KEY=VALUE",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder for the packed files")
    parser.add_argument(
        "--lines-per-file",
        type=positive_int,
        default=100_000,
        metavar="N",
        help="maximum number of lines in a file (default: 100,000)",
    )
    add_shard_option(
        parser,
        "write part I of N of the files, so that several machines, or the tasks of a SLURM array, share them; each "
        "needs the same dataset and options",
    )
    add_overwrite_option(parser, "delete the files of another dataset or preprocessing in the folder (default: exit)")
    add_config_dir_option(parser)
    return parser


def build_parts(options: argparse.Namespace) -> "tuple[DictConfig, Parts]":
    """Compose the configuration, and build the dataset and its preprocessing.

    Raises:
        UsageError: an override is wrong, a constructor refuses its arguments, or the dataset has pages, not lines.
        DataError: the dataset cannot be read.
    """
    from htr_lightning.config.build import unwrap_errors
    from htr_lightning.config.compose import compose_config
    from htr_lightning.image.files import DataError
    from htr_lightning.training import build

    try:
        cfg = compose_config(options.overrides, options.config_dir)
        with unwrap_errors():
            parts = build.build_parts(cfg)
    except DataError:
        raise
    except InputError as error:
        raise UsageError(str(error)) from None
    return cfg, parts


def describe_result(result: "PackResult", folder: Path) -> str:
    """Return what was done, and what other shards have to do."""
    files = format_count(result.num_written + result.num_kept, "file")
    sentence = f"{format_count(result.num_lines, 'line')} in {files} in {folder}"
    if result.num_kept:
        sentence += f"; {format_count(result.num_kept, 'file was', 'files were')} complete already"
    if result.missing:
        named = ", ".join(result.missing[:_MAX_NAMED])
        more = f" and {len(result.missing) - _MAX_NAMED} more" if len(result.missing) > _MAX_NAMED else ""
        verb = "is" if len(result.missing) == 1 else "are"
        return f"{sentence}; of other shards, {named}{more} {verb} still missing"
    return f"{sentence}; train on them with dataset=packed dataset.root={folder}"


if __name__ == "__main__":
    main()

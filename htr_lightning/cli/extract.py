"""``python -m htr_lightning extract``: write the lines of a data set as image files with a manifest."""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> None:
    """Write ``OUT/<split>/*.png`` and ``OUT/<split>.tsv``, which ``dataset=lines`` reads.

    Raises:
        SystemExit: with a message when the data set or the folder cannot be used.
    """
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning extract",
        description="Write the lines of a data set as PNG files with a manifest, which dataset=lines reads.",
    )
    parser.add_argument("out", type=Path, help="folder to write to; made if absent")
    parser.add_argument("overrides", nargs="*", help="the data set, as for training: dataset=... dataset.KEY=VALUE")
    parser.add_argument("--split", choices=("train", "val", "test"), default="test", help="(default: test)")
    parser.add_argument("--limit", type=int, help="only so many lines")
    parser.add_argument("--config-dir", type=Path, metavar="DIR", help="folder with dataset files of your own")
    options = parser.parse_intermixed_args(argv)

    from hydra.errors import HydraException
    from PIL import Image

    from htr_lightning.config.build import build
    from htr_lightning.config.compose import compose_config
    from htr_lightning.config.schema import ConfigError
    from htr_lightning.files import write_text
    from htr_lightning.image.files import DataError

    try:
        cfg = compose_config(options.overrides, options.config_dir)
        source = build(cfg.dataset)
        lines = list(itertools.islice(source.lines(options.split), options.limit))
        (options.out / options.split).mkdir(parents=True, exist_ok=True)
        rows = ["image\ttext\tgroup"]
        skipped = []
        for number, line in enumerate(lines):
            name = f"{options.split}/{number:06d}.png"
            try:
                pixels = line.image.read(cfg.preprocess.max_pixels)
            except DataError as error:
                skipped.append(str(error.of_line(line.id)))
                continue
            Image.fromarray(pixels).save(options.out / name)
            rows.append(f"{name}\t{line.text}\t{line.group}")
        if len(skipped) > cfg.loader.max_skipped:
            listed = "\n  ".join(skipped)
            remedy = f"Leave them out with loader.max_skipped={len(skipped)}"
            raise DataError(f"{len(skipped)} lines cannot be used:\n  {listed}\n{remedy}")
        write_text(options.out / f"{options.split}.tsv", "\n".join(rows) + "\n")
    except HydraException as error:
        raise SystemExit(str(error.__cause__ or error)) from None
    except (ConfigError, DataError) as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        raise SystemExit(f"{options.out}: cannot be written ({error.strerror})") from None
    print(f"{len(rows) - 1} lines in {options.out / options.split}, listed in {options.out / options.split}.tsv")


if __name__ == "__main__":
    main()

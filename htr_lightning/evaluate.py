"""``python -m htr_lightning evaluate``: measure a model on a manifest of lines."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from htr_lightning.charset import Charset, printable
from htr_lightning.decode.options import add_decoder_options, decoder_of


def main(argv: Sequence[str] | None = None) -> None:
    """Read the lines of a manifest, and print how well.

    Raises:
        SystemExit: with a message when model or data cannot be used; 2 for a wrong command line.
    """
    parser = parser_of_evaluate()
    options = parser.parse_args(argv)

    from htr_lightning.checkpoint import ModelFileError, load_model
    from htr_lightning.data.line import DataError
    from htr_lightning.data.sources.manifest import read_manifest
    from htr_lightning.files import write_json
    from htr_lightning.metrics import RecognitionMetrics
    from htr_lightning.progress import progress_bar
    from htr_lightning.reader import LineReader, device_named

    device = device_named(options.device, parser.error)
    try:
        lines = read_manifest(
            options.data,
            image_column=options.image_column,
            text_column=options.text_column,
            group_column=options.group_column,
        )
        model = load_model(options.model, device)
    except (ModelFileError, DataError) as error:
        raise SystemExit(str(error)) from None
    texts = {line.id: line.text for line in lines}
    reader = LineReader(model, device, decoder=decoder_of(options, model.charset))
    readings = [
        replace(reading, pixels=None)
        for (reading,) in progress_bar(([reading] for reading in reader.read(lines)), len(lines), "Reading")
    ]
    if not lines:
        raise SystemExit(f"{options.data}: there is no line to measure on")
    good = [reading for reading in readings if reading.problem is None and texts[reading.id]]
    problems = [r.problem or f"{r.id}: the text is empty" for r in readings if r.problem or not texts[r.id]]
    for problem in problems[:20]:
        print(problem, file=sys.stderr)
    if len(problems) > options.max_skipped:
        raise SystemExit(
            f"{options.data}: {len(problems)} of {len(lines)} lines cannot be used; mend them, or leave them out "
            f"with --max-skipped {len(problems)}"
        )
    if not good:
        raise SystemExit(f"{options.data}: none of its {len(lines)} lines can be used")
    warn_of_unknown(model.charset, [texts[reading.id] for reading in good], options.data)
    metrics = RecognitionMetrics(model.charset)
    metrics.update([texts[reading.id] for reading in good], [reading.text for reading in good])
    scores = {name: float(value) for name, value in metrics.compute().items()}
    groups = {line.id: line.group for line in lines}
    interval = cer_interval(
        [model.charset.normalize(texts[reading.id]) for reading in good],
        [reading.text for reading in good],
        [groups[reading.id] for reading in good],
    )
    result = {**scores, **interval, "lines": len(good), "skipped": len(problems)}
    print(json.dumps(result, indent=2))
    if options.out is not None:
        try:
            options.out.mkdir(parents=True, exist_ok=True)
            write_json(options.out / "result.json", result | {"model": str(options.model), "data": str(options.data)})
        except OSError as error:
            raise SystemExit(f"--out {options.out}: cannot be written ({error.strerror})") from None


def parser_of_evaluate() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(
        prog="python -m htr_lightning evaluate",
        description="Measure a model on lines whose text is known: CER with its 95 %% interval over writers or "
        "pages, WER, accuracy, character precision, recall and F1, as shares (0.05 is 5 %%).",
    )
    parser.add_argument("model", help="a model.safetensors, a checkpoint, a run folder, or zoo:NAME")
    parser.add_argument("--data", type=Path, required=True, help="manifest of images and texts: .tsv, .csv or .jsonl")
    parser.add_argument("--image-column", default="image", help="(default: image)")
    parser.add_argument("--text-column", default="text", help="(default: text)")
    parser.add_argument("--group-column", help="of the writer or page, whose lines the intervals keep together "
                        "(default: group, writer, page or font, if there is one)")  # fmt: skip
    parser.add_argument("--max-skipped", type=int, default=0, help="unusable lines to put up with (default: 0)")
    parser.add_argument("--out", type=Path, help="folder for result.json")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: a GPU if there is one)")
    add_decoder_options(parser)
    return parser


def cer_interval(references: Sequence[str], hypotheses: Sequence[str], groups: Sequence[str]) -> dict[str, float]:
    """Return the 95 % interval of the CER, and what was drawn for it: groups, or lines where none has a group."""
    from htr_lightning.intervals import rate_interval
    from htr_lightning.metrics import edit_distance

    edits = [edit_distance(r, h) for r, h in zip(references, hypotheses, strict=True)]
    low, high = rate_interval(edits, [len(reference) for reference in references], groups)
    return {"cer_low": low, "cer_high": high, "groups": len(set(groups) - {""}) or len(references)}


def warn_of_unknown(charset: Charset, texts: Sequence[str], data: Path) -> None:
    """Name the characters that the model cannot write; each of them counts as an error."""
    for character, count in charset.count_unknown(texts).most_common():
        print(
            f"{data}: {printable(character)} stands {count} times in the texts but is not in the model's charset; "
            "every one counts as an error",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()

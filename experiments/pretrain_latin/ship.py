"""Ship a model: calibrate it on all archives, measure it, and write ``htr_lightning/zoo/NAME`` and its card.

    python experiments/pretrain_latin/ship.py runs/large2 --name latin-large [--lm auto] [--test]

The temperature is fitted on 75 lines each of the ten archives' and copiste's val together. The file holds 16 bits,
license, languages, attribution and scores; the section *Scores* of the card, and NAME.json beside this script, hold CER
by archive, century and language with 95 % intervals (over pages; over writers for copiste) and the calibration error
of lines before and after. --lm auto also measures val with the language models of the model's languages; if they raise
the CER of no set, the file names them, and predict and evaluate decode with them. Where 8 bits raise the mean CER by
at most 0.1 points (int8.py), the file says so, and predict reads in 8 bits on CPUs. --test also measures copiste's
and peraire's test, greedy and with ``--lm auto``; without it, the file and the card have no figures of test. Needs
HTR_DATA.
"""

import argparse
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from archives import DATA, read_sets
from int8 import measure as measure_int8

import htr_lightning
from htr_lightning.charset import Charset
from htr_lightning.data.line import Line
from htr_lightning.decode.confidence import CalibrationBatch, Calibrator
from htr_lightning.decode.decoder import Decoder, build_beam_decoder
from htr_lightning.decode.greedy import greedy_decode
from htr_lightning.evaluation.intervals import compute_rate_interval
from htr_lightning.evaluation.reliability import compute_expected_calibration_error
from htr_lightning.metrics import edit_distance
from htr_lightning.model.file import Model, load_model, with_precision, write_model
from htr_lightning.reading.lines import LineReader

ZOO = Path(htr_lightning.__file__).parent / "zoo"
LICENSE = "CC-BY-SA-4.0"  # because of hooker and vienna
LANGUAGES = ["fr", "en", "de"]
ATTRIBUTION = (
    "Copiste d'un jour (BAnQ, 2024, CC BY 4.0); HTR-United lectaurep-repertoires, lectaurep-bronod, timeuscorpus, "
    "CREMMA-MSS-17 and CREMMA-MSS-18, FoNDUE-HTR FONDUE-FR-MSS-18 and FONDUE-MLT-ART, HTRomance "
    "modern-roman-languages (CC BY 4.0); Joseph Hooker HTR (J. Schaefer) and HTR School Vienna 2025 "
    "early-modern-german (CC BY-SA 4.0); synthetic lines in open fonts (OFL, Apache-2.0)"
)
MAX_BYTES = 12_000_000
LINES_PER_SET = 75
"""From which the temperature is fitted, so that each archive counts alike."""
NEVER_TRAINED = "peraire"
OWN = {"copiste": ("fr", "21"), "peraire": ("fr", "20")}
LANGUAGE_NAMES = {"fr": "French", "en": "English", "de": "German", "de,fr": "German and French, printed"}


@dataclass(frozen=True, slots=True)
class Counts:
    """Edits and reference lengths of lines, and the group that each is of."""

    edits: list[int]
    lengths: list[int]
    groups: list[str]

    def score(self) -> dict[str, float]:
        """Return the CER with its interval, and the number of lines."""
        low, high = compute_rate_interval(self.edits, self.lengths, self.groups)
        cer = sum(self.edits) / sum(self.lengths)
        return {"cer": cer, "low": low, "high": high, "lines": len(self.edits)}


class LineSet:
    """The logits of some lines, computed once."""

    def __init__(self, name: str, lines: Sequence[Line], model: Model) -> None:
        self.name, self.charset = name, model.charset
        self.groups: list[list[str]] = []
        self.batches: list[CalibrationBatch] = []
        for batch, logits, frame_lengths in LineReader(model).logits(lines):
            references = [model.charset.normalize(line.text) for line in batch]
            self.batches.append(CalibrationBatch(logits, frame_lengths, references))
            self.groups.append([f"{name} {line.group}" for line in batch])
        if sum(map(len, self.groups)) != len(lines):
            raise SystemExit(f"{name}: {len(lines) - sum(map(len, self.groups))} of {len(lines)} lines cannot be used")

    def count(self, decoder: Decoder = greedy_decode) -> Counts:
        """Decode the lines, and count the edits."""
        counts = Counts([], [], [])
        for batch, groups in zip(self.batches, self.groups, strict=True):
            for ids, reference in zip(decoder(batch.logits, batch.frame_lengths), batch.texts, strict=True):
                counts.edits.append(edit_distance(reference, self.charset.decode(ids).strip()))
                counts.lengths.append(len(reference))
            counts.groups.extend(groups)
        return counts

    def sample(self, number: int) -> Iterator[CalibrationBatch]:
        """Yield at most some of the lines, spread over all widths."""
        total, start = sum(map(len, self.groups)), 0
        chosen = np.unique(np.linspace(0, total - 1, min(number, total)).round().astype(int))
        for batch in self.batches:
            rows = chosen[(chosen >= start) & (chosen < start + len(batch.texts))] - start
            start += len(batch.texts)
            if len(rows):
                texts = [batch.texts[row] for row in rows.tolist()]
                yield CalibrationBatch(batch.logits[rows], batch.frame_lengths[rows], texts)

    def compute_calibration_errors(self, temperatures: Iterable[float]) -> list[float]:
        """Return the expected calibration error of lines at each temperature."""
        calibrator = Calibrator(self.batches, self.charset)
        outcomes = [calibrator.evaluate(temperature) for temperature in temperatures]
        return [compute_expected_calibration_error(o.lines, o.correct_lines.tolist()) for o in outcomes]


def read_origins() -> dict[str, tuple[str, str]]:
    """Return language and century of each archive, of copiste and of peraire."""
    origins = dict(OWN)
    for path in sorted((DATA / "hands").glob("*.parquet")):
        row = pq.read_table(path, columns=["language", "century"]).slice(0, 1).to_pylist()[0]
        origins[path.stem] = (row["language"], row["century"])
    return origins


def fit_temperature(sets: Sequence[LineSet], charset: Charset) -> float:
    """Return the temperature of the same number of lines of each set but the archive that training never saw."""
    batches = [batch for one in sets if one.name != NEVER_TRAINED for batch in one.sample(LINES_PER_SET)]
    return Calibrator(batches, charset).fit_temperature()


def measure_val(sets: Sequence[LineSet], before: float, after: float, beam: Decoder | None) -> dict[str, Any]:
    """Return scores by archive, language and century; temperatures before and after; with a language model, if any."""
    origins = read_origins()
    counts = {one.name: one.count() for one in sets}
    archives: dict[str, Any] = {}
    for one in sets:
        errors = one.compute_calibration_errors((before, after))
        archives[one.name] = counts[one.name].score() | {"ece_before": errors[0], "ece": errors[1]}
        if beam is not None:
            archives[one.name]["cer_lm"] = one.count(beam).score()["cer"]
    result: dict[str, Any] = {"archives": archives}
    for row, key in enumerate(("language", "century")):
        result[key] = {}
        for value in sorted({origins[one.name][row] for one in sets if one.name != NEVER_TRAINED}):
            members = [counts[n] for n in counts if n != NEVER_TRAINED and origins[n][row] == value]
            joined = [[x for c in members for x in getattr(c, field)] for field in ("edits", "lengths", "groups")]
            result[key][value] = Counts(*joined).score()
    for key in ("cer", "cer_lm") if beam is not None else ("cer",):
        result[key.replace("cer", "mean")] = float(np.mean([archives[n][key] for n in archives if n not in OWN]))
    return result


def measure_test(model: Model, beam: Decoder) -> dict[str, Any]:
    """Return the scores of copiste's and peraire's test, greedy and with the language models of the languages."""
    result = {}
    for name, lines in read_sets("test").items():
        one = LineSet(name, lines, model)
        result[name] = {"greedy": one.count().score(), "lm auto": one.count(beam).score()}
    return result


def describe(score: Mapping[str, float]) -> str:
    """Return the CER and its interval as two cells."""
    if np.isnan(score["low"]):
        return f"{100 * score['cer']:.1f} % | |"
    return f"{100 * score['cer']:.1f} % | {100 * score['low']:.1f} to {100 * score['high']:.1f} % |"


def render_scores(result: Mapping[str, Any]) -> str:
    """Render the section *Scores* of the card."""
    val = result["val"]
    has_lm = "mean_lm" in val
    parts = ["Greedy decoding, 95 % confidence intervals over writers (copiste: Copiste d'un jour) or pages.\n"]
    if "test" in result:
        rows = [
            f"| {title} | " + " ".join(describe(result["test"][name][key]) for key in ("greedy", "lm auto"))
            for name, title in (("copiste", "copiste, 31 other writers"), ("peraire", "peraire, never trained on"))
        ]
        parts.append(render_table("test | CER | interval | with `--lm auto` | interval", rows))
    origins = read_origins()
    rows = [
        f"| {name}{', never trained on' if name == NEVER_TRAINED else ''} | {origins[name][0]}, "
        f"{name_century(origins[name][1])} | {score['lines']} | {describe(score)}"
        + (f" {100 * score['cer_lm']:.1f} % |" if has_lm else "")
        + f" {100 * score['ece_before']:.1f} % | {100 * score['ece']:.1f} % |"
        for name, score in val["archives"].items()
    ]
    mean_lm = f" {100 * val['mean_lm']:.1f} % |" if has_lm else ""
    rows.append(f"| mean of the ten archives | | | {100 * val['mean']:.1f} % | |{mean_lm} | |")
    with_lm = " | with `--lm auto`" if has_lm else ""
    head = f"val | language, century | lines | CER | interval{with_lm} | calibration error of lines, before | after"
    parts.append(render_table(head, rows))
    rows = [f"| {LANGUAGE_NAMES[key]} | {score['lines']} | {describe(score)}" for key, score in val["language"].items()]
    rows += [f"| {name_century(key)} century | {s['lines']} | {describe(s)}" for key, s in val["century"].items()]
    parts.append(render_table("val, without peraire | lines | CER | interval", rows))
    parts.append(
        "Val of the ten archives has other pages than training, mostly by the same writers; val of copiste has other\n"
        "writers. The checkpoint was selected on both. The calibration error (ECE) is given before and after one\n"
        "temperature was fitted on 75 lines of each set but peraire.\n"
    )
    return "\n".join(parts)


def render_table(head: str, rows: Sequence[str]) -> str:
    """Render a table."""
    return "\n".join([f"| {head} |", "|---" * (head.count(" | ") + 1) + "|", *rows, ""])


def name_century(value: str) -> str:
    """Return a century or two as ordinals."""
    return "21st" if value == "21" else f"{value}th"


def write_card(path: Path, scores: str) -> None:
    """Replace the section *Scores* of a card; print it if there is no card."""
    section = re.compile(r"(?<=^## Scores\n\n).*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    card = path.read_text(encoding="utf-8") if path.is_file() else ""
    if section.search(card):
        path.write_text(section.sub(lambda _: scores + "\n", card, count=1), encoding="utf-8")
    else:
        print(scores)


def main() -> None:
    """Calibrate, measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--name", required=True)
    parser.add_argument("--lm", default="none", choices=("auto", "none"))
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--precision", default="bf16", choices=("fp32", "bf16"))
    parser.add_argument("--lm-weight", type=float, default=0.5)
    parser.add_argument("--insertion-bonus", type=float, default=1.25)
    options = parser.parse_args()
    trained = load_model(options.model)
    with tempfile.TemporaryDirectory() as folder:  # what is measured is what ships: weights in 16 bits
        path = Path(folder) / "half.safetensors"
        write_model(path, trained.network.state_dict(), trained.info, half=True)
        shipped = load_model(path)
    model = with_precision(shipped, options.precision)
    lines_of_sets = read_sets("val")
    sets = [LineSet(name, lines, model) for name, lines in lines_of_sets.items()]
    temperature = fit_temperature(sets, model.charset)
    print(f"temperature {temperature:g}, before {model.info.temperature:g}", flush=True)
    weights = {"lm_weight": options.lm_weight, "insertion_bonus": options.insertion_bonus}
    beam = build_beam_decoder(model.charset, lm="auto", languages=LANGUAGES, **weights)
    val = measure_val(sets, model.info.temperature, temperature, beam if options.lm == "auto" else None)
    sets_lm = [(score["cer_lm"], score["cer"]) for score in val["archives"].values() if options.lm == "auto"]
    helps = bool(sets_lm) and all(lm <= greedy for lm, greedy in sets_lm) and any(lm < greedy for lm, greedy in sets_lm)
    result: dict[str, Any] = {"temperature_before": model.info.temperature, "temperature": temperature, "val": val}
    result["int8"] = measure_int8(shipped, lines_of_sets)
    print("8 bits", {key: result["int8"][key] for key in ("mean", "increase", "is_equal")}, flush=True)
    scores = {"val/cer": val["archives"]["copiste"]["cer"], "archives/cer": val["mean"]}
    if options.test:
        result["test"] = measure_test(model, beam) | weights
        scores["test/cer"] = result["test"]["copiste"]["greedy"]["cer"]
    info = replace(
        model.info,
        temperature=temperature,
        license=LICENSE,
        languages=LANGUAGES,
        lm="auto" if helps else "",
        int8=result["int8"]["is_equal"],
        attribution=ATTRIBUTION,
        scores=scores,
    )
    target = ZOO / f"{options.name}.safetensors"
    write_model(target, model.network.state_dict(), info, half=True)
    if target.stat().st_size > MAX_BYTES:
        raise SystemExit(f"{target}: {target.stat().st_size:,} bytes, more than {MAX_BYTES:,}")
    Path(__file__).with_name(f"{options.name}.json").write_text(json.dumps(result, indent=2) + "\n")
    write_card(target.with_suffix(".md"), render_scores(result))


if __name__ == "__main__":
    main()

"""Measure how much faster a training step is when modules are frozen; see README.md."""

import json
import statistics
import time
from pathlib import Path

import torch

from htr_lightning.charset import Charset
from htr_lightning.data.batch import Batch
from htr_lightning.device import enlarge_onednn_cache
from htr_lightning.model.crnn import CRNN
from htr_lightning.training.freezing import FreezingSchedule
from htr_lightning.training.optim import AdamW
from htr_lightning.training.task import RecognitionTask

CASES: dict[str, list[str]] = {
    "nothing frozen": [],
    "stem and first two stages frozen": ["backbone.stem", "backbone.stages.[01]"],
    "backbone frozen": ["backbone"],
    "all but the heads frozen": ["backbone", "rnn"],
}
NUM_LINES, WIDTH_PX, NUM_CHARACTERS = 8, 704, 45
ROUNDS, STEPS = 9, 4


class Case:
    """A network, an optimizer and a batch."""

    def __init__(self, freeze: list[str]) -> None:
        torch.manual_seed(0)
        charset = Charset.from_texts(["".join(map(chr, range(33, 160)))])
        self.model = CRNN(charset.num_classes).train()
        FreezingSchedule(self.model, freeze).apply(0, 0)
        self.task = RecognitionTask(self.model, charset, AdamW(), auxiliary_weight=0.3)
        self.task.log = lambda *_, **__: None  # type: ignore[method-assign]
        self.optimizer, _ = AdamW().build(self.model, 100)
        self.batch = Batch(
            images=torch.rand(NUM_LINES, 1, self.model.height_px, WIDTH_PX),
            widths=torch.full((NUM_LINES,), WIDTH_PX),
            targets=torch.randint(1, charset.num_classes, (NUM_LINES * NUM_CHARACTERS,)),
            target_lengths=torch.full((NUM_LINES,), NUM_CHARACTERS),
            ids=[""] * NUM_LINES,
            texts=[""] * NUM_LINES,
            seed=0,
        )

    def measure_step_s(self) -> float:
        """Take steps, and return the seconds per step."""
        start = time.perf_counter()
        for _ in range(STEPS):
            self.optimizer.zero_grad()
            self.task.training_step(self.batch, 0).backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
            self.optimizer.step()
        return (time.perf_counter() - start) / STEPS


def main() -> None:
    """Measure all cases in turn, so that other load on the machine affects all of them alike."""
    enlarge_onednn_cache()
    cases = {name: Case(freeze) for name, freeze in CASES.items()}
    rounds = [{name: case.measure_step_s() for name, case in cases.items()} for _ in range(ROUNDS + 1)][1:]
    baseline = next(iter(CASES))
    result = {
        name: {
            "milliseconds": round(1000 * statistics.median(r[name] for r in rounds)),
            "times as fast": round(statistics.median(r[baseline] / r[name] for r in rounds), 2),
            "least": round(min(r[baseline] / r[name] for r in rounds), 2),
        }
        for name in CASES
    }
    Path(__file__).with_name("result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

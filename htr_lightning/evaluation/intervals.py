"""Bootstrap confidence intervals of scores, resampling writers or pages.

Percentile bootstrap (Efron 1979; Bisani & Ney 2004 for error rates). Whole groups are drawn with replacement: errors in
the lines of one writer are correlated, so resampling single lines would give intervals that are too narrow. A sample is
a vector of weights, how often each group was drawn, so all scores that are functions of summed counts follow from
matrix products.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.metrics import Floats, compute_error_rate

NUM_SAMPLES = 2000
LEVEL = 0.95
MIN_GROUPS = 2
"""Of which an interval can be bootstrapped; every sample of a single group is the same."""
_MAX_WEIGHTS = 2_000_000  # in memory at once


def describe_bootstrap(num_groups: int, has_groups: bool) -> dict[str, Any] | None:
    """Return the settings of the bootstrap as plain JSON types; None if there is too little to resample."""
    if num_groups < MIN_GROUPS:
        return None
    return {"level": LEVEL, "samples": NUM_SAMPLES, "unit": "groups" if has_groups else "lines"}


def explain_missing_intervals(num_groups: int, has_groups: bool) -> str:
    """Return why scores have no interval, and what to do about it; empty if they have one."""
    if num_groups >= MIN_GROUPS:
        return ""
    one = "all lines are of one group (writer or page)" if has_groups else "there is only one line"
    return f"no intervals, since {one}; evaluate lines of several{' groups' if has_groups else ''}"


def index_groups(groups: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Assign an index to each group; each line without a group becomes a group of its own.

    Args:
        groups: of each line; empty for none.

    Returns:
        The names of all groups (empty for a single line), and the index of each line's group, ``(n,)``.
    """
    unique, index = np.unique([name or f"\0{i}" for i, name in enumerate(groups)], return_inverse=True)
    return ["" if name.startswith("\0") else str(name) for name in unique], index.astype(np.int64)


def draw_weights(num_groups: int, *, num_samples: int = NUM_SAMPLES, seed: int = 1) -> Iterator[Floats]:
    """Draw bootstrap samples: yield how often each group is drawn, ``(S, G)``, in blocks of samples."""
    generator, probabilities = np.random.default_rng(seed), np.full(num_groups, 1 / num_groups)
    block = max(1, min(num_samples, _MAX_WEIGHTS // num_groups))
    for start in range(0, num_samples, block):
        weights = generator.multinomial(num_groups, probabilities, size=min(block, num_samples - start))
        yield weights.astype(np.float64)


def bootstrap(
    compute_scores: Callable[[Floats], Mapping[str, Floats]],
    num_groups: int,
    *,
    num_samples: int = NUM_SAMPLES,
    seed: int = 1,
) -> dict[str, Floats]:
    """Compute scores of bootstrap samples.

    Args:
        compute_scores: from weights ``(S, G)`` to scores ``(S,)``, by name.
        num_groups: G.
        num_samples: to draw.
        seed: of the drawing; equal seeds draw equal samples of equally many groups.

    Returns:
        Each score in all samples, ``(num_samples,)``.
    """
    blocks = [compute_scores(weights) for weights in draw_weights(num_groups, num_samples=num_samples, seed=seed)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def compute_interval(samples: Floats, level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile interval of bootstrap samples; NaN samples are ignored.

    Args:
        samples: ``(S,)``.
        level: fraction of the samples inside the interval, 0..1.
    """
    known = samples[~np.isnan(samples)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def compute_rate_interval(
    edits: Sequence[int],
    lengths: Sequence[int],
    groups: Sequence[str] | None = None,
    *,
    level: float = LEVEL,
    num_samples: int = NUM_SAMPLES,
    seed: int = 1,
) -> tuple[float, float]:
    """Return the bootstrap interval of one error rate.

    Args:
        edits: of each line.
        lengths: of each line's reference.
        groups: of each line: its writer or page; None or all empty to resample lines.
        level: fraction of the samples inside the interval, 0..1.
        num_samples: to draw.
        seed: of the drawing.

    Returns:
        The lower and the upper bound; NaN if there is only one group.

    Raises:
        ValueError: no line, or sequences of different lengths.
    """
    if not edits or len(edits) != len(lengths) or (groups is not None and len(groups) != len(edits)):
        raise ValueError(f"{len(edits)} edits and {len(lengths)} lengths; give edits, length and group of each line")
    names, index = index_groups(groups or [""] * len(edits))
    if len(names) < MIN_GROUPS:
        return float("nan"), float("nan")
    counts = np.stack([np.bincount(index, weights=values) for values in (edits, lengths)], axis=1)

    def compute_rate(weights: Floats) -> dict[str, Floats]:
        sums = weights @ counts
        return {"rate": compute_error_rate(sums[:, 0], sums[:, 1])}

    return compute_interval(bootstrap(compute_rate, len(names), num_samples=num_samples, seed=seed)["rate"], level)

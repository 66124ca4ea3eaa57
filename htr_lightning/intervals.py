"""How sure a measured error rate is: bootstrap intervals over writers or pages."""

from collections.abc import Sequence

import numpy as np

NUM_SAMPLES = 2000


def rate_interval(
    edits: Sequence[int],
    lengths: Sequence[int],
    groups: Sequence[str] | None = None,
    *,
    level: float = 0.95,
    num_samples: int = NUM_SAMPLES,
    seed: int = 1,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of an error rate (Efron 1979; Bisani & Ney 2004 for error rates).

    What is drawn, with replacement, are whole groups: the lines of one writer succeed or fail together, so that lines
    drawn one by one would make the interval too narrow.

    Args:
        edits: of each line.
        lengths: of each line's reference.
        groups: of each line: its writer, or its page; None or all empty to draw lines.
        level: share of the samples inside the interval, 0..1.
        num_samples: drawn.
        seed: of the drawing.

    Returns:
        The lower and the upper bound; both are the rate itself where there is only one group.

    Raises:
        ValueError: no line, or sequences of different lengths.
    """
    if not edits or len(edits) != len(lengths) or (groups is not None and len(groups) != len(edits)):
        raise ValueError(f"{len(edits)} edits, {len(lengths)} lengths and their groups are not of the same lines")
    names = [name or f"\0{i}" for i, name in enumerate(groups or [""] * len(edits))]
    _, place = np.unique(names, return_inverse=True)
    per_group = np.stack([np.bincount(place, weights=values) for values in (edits, lengths)])
    num_groups = per_group.shape[1]
    generator, even = np.random.default_rng(seed), np.full(num_groups, 1 / num_groups)
    samples = np.array([per_group @ generator.multinomial(num_groups, even) for _ in range(num_samples)])
    low, high = np.quantile(samples[:, 0] / np.maximum(samples[:, 1], 1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

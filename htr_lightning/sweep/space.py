"""The search space of a study, parsed from overrides in Hydra's grammar."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import Glob, IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from htr_lightning.config.schema import ConfigError


def parse_space(overrides: Iterable[Override]) -> tuple[list[str], dict[str, BaseDistribution]]:
    """Split overrides into fixed ones and distributions to sample from.

    Returns:
        The fixed overrides as they were written, and the distribution of each sampled key: ``a,b`` and ``choice(a,b)``
        are categories, ``range(low,high,step)`` excludes its end, ``interval(low,high)`` includes it and samples
        integers when written ``int(interval(1,5))``; ``tag(log,interval(1e-4,1e-2))`` is sampled on a log scale.

    Raises:
        ConfigError: no key is to be sampled, or one by a pattern of names (``glob``).
    """
    fixed: list[str] = []
    drawn: dict[str, BaseDistribution] = {}
    for override in overrides:
        if override.is_sweep_override():
            drawn[str(override.get_key_element())] = _distribution(override)
        else:
            fixed.append(str(override.input_line))
    if not drawn:
        raise ConfigError(
            "hydra/sweeper=study: no value is to be sampled; give choices or ranges, for example "
            "'optim.lr=tag(log,interval(1e-4,1e-2))' model=crnn,crnn_small"
        )
    return fixed, drawn


def _distribution(override: Override) -> BaseDistribution:
    try:
        return _distribution_of(override, override.value())
    except ValueError as error:
        raise ConfigError(
            f"cannot be sampled ({error})",
            key=str(override.input_line),
            remedy="write interval(low,high) with low at most high, and both above 0 in tag(log,...)",
        ) from None


def _distribution_of(override: Override, value: Any) -> BaseDistribution:
    if isinstance(value, IntervalSweep):
        assert value.start is not None and value.end is not None
        log = "log" in value.tags
        if isinstance(value.start, int) and isinstance(value.end, int):
            return IntDistribution(value.start, value.end, log=log)
        return FloatDistribution(value.start, value.end, log=log)
    if override.is_discrete_sweep() and not isinstance(value, Glob):
        choices = list(override.sweep_string_iterator())
        if isinstance(value, RangeSweep) and choices and isinstance(value.step, int | float):
            numbers = [float(choice) for choice in choices]
            if all(isinstance(bound, int) for bound in (value.start, value.stop, value.step)):
                return IntDistribution(int(min(numbers)), int(max(numbers)), step=abs(int(value.step)))
            return FloatDistribution(min(numbers), max(numbers), step=abs(float(value.step)))
        return CategoricalDistribution(choices)
    raise ConfigError(
        "hydra/sweeper=study samples from choices, ranges and intervals only",
        key=str(override.input_line),
        remedy="use choice(...), range(...) or interval(...)",
    )


def cover_choices(drawn: Mapping[str, BaseDistribution]) -> Iterator[dict[str, Any]]:
    """Yield samples that together contain every category, to validate each of them before the sweep."""
    first = {key: _values(distribution)[0] for key, distribution in drawn.items()}
    yield first
    for key, distribution in drawn.items():
        yield from (first | {key: value} for value in _values(distribution)[1:])


def _values(distribution: BaseDistribution) -> Sequence[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return (distribution.low,)


def format_overrides(params: Mapping[str, Any]) -> list[str]:
    """Return the sampled values of a trial as overrides."""
    return [f"{key}={value}" for key, value in params.items()]

"""Stages of training: from initial weights, or fine-tuning of a trained model."""

import inspect
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

import torch
from hydra.utils import get_object
from torch import Tensor

from htr_lightning.charset import Charset, find_direction
from htr_lightning.config.schema import ConfigError
from htr_lightning.directions.bidi import BaseDirection
from htr_lightning.image.preprocess import LIMITS
from htr_lightning.model.file import Model, load_model
from htr_lightning.model.network import Network, get_class_path
from htr_lightning.text import describe_characters
from htr_lightning.training.freezing import FreezingSchedule

log = logging.getLogger(__name__)
_FREE = {"model": ("dropout",), "preprocess": LIMITS}
"""Settings that may differ from those of the model: they change neither the weights nor the preprocessed pixels."""


@dataclass(frozen=True)
class Pretrain:
    """Train every weight from its initial value."""

    def load(self, resume: Path | None, trust: Collection[str] = ()) -> None:
        """Return no base model."""

    def build_freezing_schedule(self, network: Network) -> FreezingSchedule:
        """Freeze nothing."""
        return FreezingSchedule(network)


@dataclass(frozen=True, kw_only=True)
class Finetune:
    """Train a model further on other lines.

    Architecture, preprocessing and charset come from the model. The configuration of ``model`` and ``preprocess``
    must agree with it; ``model=loaded preprocess=loaded`` leave everything to the model.

    Args:
        start_from: a ``model.safetensors``, a Lightning checkpoint, a run folder, or ``zoo:NAME``.
        charset: ``keep`` refuses training texts with characters that the charset of the model lacks; ``extend`` adds
            them to it; ``replace`` takes the characters of the training texts and drops all others. Characters that
            remain keep their weights in each case.
        freeze: parts that are not trained: paths of modules or parameters, with ``*`` and ``?`` (``backbone``,
            ``backbone.stages.[01]``). Frozen batch normalization keeps its statistics.
        unfreeze_epoch: frozen parts and the epoch, counted from 0, in which they are unfrozen.
        unfreeze_step: the same by optimizer steps.
        layer_decay: learning rate of each block as a fraction of that of the block above it; 1 for one rate. The
            blocks, from the top: the heads, then what the network lists (`htr_lightning.model.network.Network`): of
            the CRNN the recurrent layers, the stages of the backbone from the last to the first, its stem.

    Raises:
        ConfigError: a setting is out of its range; names ``stage.<key>``.
    """

    start_from: str
    charset: Literal["keep", "extend", "replace"] = "extend"
    freeze: Sequence[str] = ()
    unfreeze_epoch: Mapping[str, int] = field(default_factory=dict)
    unfreeze_step: Mapping[str, int] = field(default_factory=dict)
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.layer_decay <= 1:
            remedy = "give a number above 0 and at most 1"
            raise ConfigError("out of range", key="stage.layer_decay", value=self.layer_decay, remedy=remedy)
        for key in ("unfreeze_epoch", "unfreeze_step"):
            for path, when in getattr(self, key).items():
                if when < 1:
                    remedy = "give 1 or more, or do not freeze it"
                    raise ConfigError("this is too early", key=f"stage.{key}.{path}", value=when, remedy=remedy)
        both = set(self.unfreeze_epoch) & set(self.unfreeze_step)
        if both:
            problem = "the part is in stage.unfreeze_epoch, too"
            raise ConfigError(problem, key=f"stage.unfreeze_step.{min(both)}", remedy="keep one of them")

    def load(self, resume: Path | None, trust: Collection[str] = ()) -> Model:
        """Load the model to start from; for a resumed run its checkpoint, since the model file may have changed.

        Args:
            resume: the checkpoint of a resumed run.
            trust: import paths of networks outside of this package that the model may name.

        Raises:
            ModelFileError: it is missing, damaged or of a newer format, or its class is not trusted.
        """
        return load_model(resume or self.start_from, trust=trust)

    def build_freezing_schedule(self, network: Network) -> FreezingSchedule:
        """Return the freezing schedule.

        Raises:
            ConfigError: a path matches nothing or everything, or is to be unfrozen without being frozen.
        """
        return FreezingSchedule(network, self.freeze, self.unfreeze_epoch, self.unfreeze_step, self.layer_decay)


def reconcile_config(model: Model, key: Literal["model", "preprocess"], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a model's network or preprocessing; refuse a configuration that contradicts them.

    Args:
        model: to start from.
        key: which of the two.
        given: the node of the configuration; parameters that it does not name come from the model.

    Raises:
        ConfigError: they differ; the message lists the differences.
    """
    of_model: dict[str, Any] = dict(model.info.arguments if key == "model" else model.preprocess.to_dict())
    if key == "model":
        _refuse_other_class(model, given.get("_target_", ""))
    given_values = {name: value for name, value in given.items() if not name.startswith("_")}
    free = [name for name in _FREE[key] if name in of_model]
    differing = [name for name, value in given_values.items() if name not in free and of_model.get(name) != value]
    if differing:
        rows = "\n".join(
            f"  {key}.{name}: {given_values[name]} in the configuration, {of_model.get(name)} in the model"
            for name in differing
        )
        raise ConfigError(
            f"{key}: not that of the model to start from ({model.info.architecture}):\n{rows}\n"
            f"  use the model's with {key}=loaded"
        )
    return of_model | {name: given_values[name] for name in free if name in given_values}


def _refuse_other_class(model: Model, target: str) -> None:
    """Refuse a configuration of another network than that of the model.

    Raises:
        ConfigError: names both classes.
    """
    cls = get_object(target) if target else None
    if inspect.isclass(cls) and get_class_path(cls) != model.info.architecture:
        raise ConfigError(
            f"the model to start from is a {model.info.architecture}",
            key="model._target_",
            value=target,
            remedy="use model=loaded",
        )


def build_loaded_network(num_classes: int, *, dropout: float | None = None) -> NoReturn:
    """Stand for the network of the model that `Finetune` loads; ``dropout`` replaces that of the model.

    Raises:
        ConfigError: the stage loads none.
    """
    raise ConfigError("no model is loaded", key="model", value="loaded", remedy="choose a network, or stage=finetune")


def build_charset(
    model: Model,
    policy: Literal["keep", "extend", "replace"],
    texts: Sequence[str],
    direction: BaseDirection = "auto",
) -> Charset:
    """Return the charset of the fine-tuned model.

    Args:
        model: to fine-tune.
        policy: see `Finetune`.
        texts: of the training lines.
        direction: base direction of the lines.

    Raises:
        ConfigError: ``keep``, and the texts have characters that the charset lacks; names and counts them.
    """
    old = model.charset
    found = find_direction(texts, direction)
    if policy == "replace":
        return Charset.from_texts(texts, old.normalization, found)
    if found and (old.direction is None or direction != "auto"):
        old = old.with_direction(found)
    unknown = old.count_unknown(texts)
    if unknown and policy == "keep":
        listed = ", ".join(
            f"{describe_characters(character)} {number} times" for character, number in unknown.most_common(20)
        )
        raise ConfigError(
            f"the training texts have {len(unknown)} characters that the model's charset lacks: {listed}",
            key="stage.charset",
            value=policy,
            remedy="use stage.charset=extend, or remove them from the texts",
        )
    return old.extend(texts)


@dataclass(frozen=True)
class CharsetDiff:
    """The characters of a fine-tuned model, compared with those of its base.

    Attributes:
        kept: characters of both, whose weights are used.
        added: new characters, with new weights.
        dropped: characters of the base that were removed.
    """

    kept: str
    added: str
    dropped: str

    def log(self) -> None:
        """Log the numbers, and the characters that were added or dropped."""
        log.info("All weights of the base model are used; %d of its characters are kept", len(self.kept))
        for what, characters in (("new", self.added), ("dropped", self.dropped)):
            if characters:
                log.info("%d characters are %s: %s", len(characters), what, describe_characters(characters))


def transfer_weights(model: Model, arguments: Mapping[str, Any], charset: Charset) -> tuple[Network, CharsetDiff]:
    """Build the network for another charset with the weights of a trained model.

    A character that both have keeps its row in the heads exactly. A new one starts with weights of zero and a
    bias one standard deviation below the mean of the old (as Calamari does), so that predictions do not change
    before training.

    Returns:
        The network, in training mode, and the comparison of the charsets.

    Raises:
        RuntimeError: a weight is missing, left over, or of another shape for a reason that is not the charset.
    """
    build: Any = type(model.network)
    network: Network = build(charset.num_classes, **arguments)
    old_id = {character: number for number, character in enumerate(model.charset.characters, start=1)}
    sources = [0] + [old_id.get(character, -1) for character in charset.characters]
    weights = {
        name: _rows(tensor, sources) if any(name.startswith(f"{head}.") for head in network.heads) else tensor
        for name, tensor in model.network.state_dict().items()
    }
    network.load_state_dict(weights, strict=True)
    network.train()
    known = set(charset.characters)
    return network, CharsetDiff(
        kept="".join(c for c in charset.characters if c in old_id),
        added="".join(c for c in charset.characters if c not in old_id),
        dropped="".join(c for c in model.charset.characters if c not in known),
    )


def _rows(old: Tensor, sources: Sequence[int]) -> Tensor:
    """Select rows of a head's weight or bias; -1 makes a new one."""
    new = torch.zeros(len(sources), *old.shape[1:], dtype=old.dtype)
    if old.ndim == 1:
        new += old[1:].mean() - old[1:].std(correction=0)
    kept = torch.tensor([row for row, source in enumerate(sources) if source >= 0])
    new[kept] = old[torch.tensor([source for source in sources if source >= 0])]
    return new

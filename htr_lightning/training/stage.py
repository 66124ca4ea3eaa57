"""What a run starts from, and which weights may move when."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from htr_lightning.charset import Charset
from htr_lightning.config.schema import ConfigError
from htr_lightning.image.preprocess import Preprocess
from htr_lightning.model.crnn import CRNN, build_network
from htr_lightning.model.file import Model, load_model
from htr_lightning.text import describe_characters
from htr_lightning.training.freezing import HEADS, FreezingSchedule

log = logging.getLogger(__name__)
_FREE = {"model": ("dropout",), "preprocess": ("max_width_px", "max_pixels")}
"""Settings that change neither what the weights are nor what they see; the configuration decides them."""


@dataclass(frozen=True)
class Pretrain:
    """Train every weight from its initial value."""

    def load(self, resume: Path | None) -> None:
        """Start from nothing."""

    def freezing(self, network: nn.Module) -> FreezingSchedule:
        """Let everything move."""
        return FreezingSchedule(network)


@dataclass(frozen=True, kw_only=True)
class Finetune:
    """Go on from a trained model with other lines.

    Architecture, preprocessing and charset come from the model. What the configuration says of ``model`` and
    ``preprocess`` must agree with it; ``model=loaded preprocess=loaded`` say nothing.

    Args:
        start_from: a ``model.safetensors``, a Lightning checkpoint, a run folder, or ``zoo:NAME``.
        charset: ``keep`` refuses training texts with characters that the model does not write; ``extend`` gives it new
            ones beside the old; ``replace`` takes the characters of the training texts and drops all others.
            Whatever the policy, characters that stay keep their weights.
        freeze: parts that do not move: paths of modules or parameters, with ``*`` and ``?`` (``backbone``,
            ``backbone.stages.[01]``). Frozen batch normalization keeps its statistics.
        unfreeze_epoch: frozen parts and the epoch, counted from 0, in which they start to move.
        unfreeze_step: the same by optimizer steps.
        layer_decay: learning rate of each block as a share of that of the block above it; 1 for one rate. The
            blocks, from the top: the heads, the recurrent layers, the stages of the backbone from the last to the
            first, its stem.

    Raises:
        ValueError: a setting that cannot be; names ``stage.<key>``.
    """

    start_from: str
    charset: Literal["keep", "extend", "replace"] = "extend"
    freeze: Sequence[str] = ()
    unfreeze_epoch: Mapping[str, int] = field(default_factory=dict)
    unfreeze_step: Mapping[str, int] = field(default_factory=dict)
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"stage.layer_decay: {self.layer_decay} is not above 0 and at most 1")
        for key in ("unfreeze_epoch", "unfreeze_step"):
            for path, when in getattr(self, key).items():
                if when < 1:
                    raise ValueError(f"stage.{key}.{path}: {when} is too early; give 1 or more, or do not freeze it")
        both = set(self.unfreeze_epoch) & set(self.unfreeze_step)
        if both:
            raise ValueError(f"stage.unfreeze_step.{min(both)}: is in stage.unfreeze_epoch too; keep one of them")

    def load(self, resume: Path | None) -> Model:
        """Read the model to start from; of a run that goes on, the checkpoint, as the model may have moved since.

        Raises:
            ModelFileError: it is missing, damaged or of a newer format.
        """
        return load_model(resume or self.start_from)

    def freezing(self, network: nn.Module) -> FreezingSchedule:
        """Freeze what is to be frozen.

        Raises:
            ConfigError: a path matches nothing or everything, or is to be unfrozen without being frozen.
        """
        return FreezingSchedule(network, self.freeze, self.unfreeze_epoch, self.unfreeze_step, self.layer_decay)


def reconcile_config(model: Model, key: Literal["model", "preprocess"], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a model's network or preprocessing, once compared with what the configuration says.

    Args:
        model: what the run starts from.
        key: which of the two.
        given: the node of the configuration; what it does not name comes from the model.

    Raises:
        ConfigError: they differ; a table of what does.
    """
    of_model: dict[str, Any] = dict(model.info.arguments if key == "model" else model.preprocess.to_dict())
    said = {name: value for name, value in given.items() if not name.startswith("_")}
    differing = [name for name, value in said.items() if name not in _FREE[key] and of_model.get(name) != value]
    if differing:
        rows = "\n".join(f"  {key}.{name}: {said[name]} here, {of_model.get(name)} in the model" for name in differing)
        raise ConfigError(
            f"{key}: not that of the model to start from ({model.info.architecture}):\n{rows}\n"
            f"  take the model's with {key}=loaded"
        )
    return of_model | {name: said[name] for name in _FREE[key] if name in said}


def charset_for(model: Model, policy: Literal["keep", "extend", "replace"], texts: Sequence[str]) -> Charset:
    """Return the charset to go on with.

    Raises:
        ConfigError: ``keep``, and the texts have characters that the model does not write; names and counts them.
    """
    old = model.charset
    if policy == "replace":
        return Charset.from_texts(texts, old.normalization)
    unknown = old.count_unknown(texts)
    if unknown and policy == "keep":
        listed = ", ".join(
            f"{describe_characters(character)} {number} times" for character, number in unknown.most_common(20)
        )
        raise ConfigError(
            f"stage.charset: keep, but the training texts have {len(unknown)} characters that the model does not "
            f"write: {listed}; use stage.charset=extend, or take them out of the texts"
        )
    return old.extend(texts)


@dataclass(frozen=True)
class Carried:
    """What became of a model's characters.

    Attributes:
        kept: those whose weights were carried over.
        added: those that start anew.
        dropped: those that the model can no longer write.
    """

    kept: str
    added: str
    dropped: str

    def log(self) -> None:
        """Log it: what a strict loading of weights cannot be strict about."""
        log.info("Every weight is carried over; of the characters %d are kept", len(self.kept))
        for what, characters in (("new", self.added), ("no longer written", self.dropped)):
            if characters:
                log.info("%d characters are %s: %s", len(characters), what, describe_characters(characters))


def carry_over(model: Model, arguments: Mapping[str, Any], charset: Charset) -> tuple[CRNN, Carried]:
    """Build the network for another charset with the weights of a trained one.

    A class that both have keeps its row in the heads to the last bit. A new one starts with weights of zero and a
    bias one standard deviation below the mean of the old (Calamari's way), so that what the network reads in old
    lines does not change until it has learnt.

    Returns:
        The network, in training mode, and what became of the characters.

    Raises:
        RuntimeError: a weight is missing, left over, or of another shape for a reason that is not the charset.
    """
    network = build_network(model.info.architecture, charset.num_classes, dict(arguments))
    old_id = {character: number for number, character in enumerate(model.charset.characters, start=1)}
    sources = [0] + [old_id.get(character, -1) for character in charset.characters]
    weights = {
        name: _rows(tensor, sources) if name.split(".")[0] in HEADS else tensor
        for name, tensor in model.network.state_dict().items()
    }
    network.load_state_dict(weights, strict=True)
    network.train()
    known = set(charset.characters)
    return network, Carried(
        kept="".join(c for c in charset.characters if c in old_id),
        added="".join(c for c in charset.characters if c not in old_id),
        dropped="".join(c for c in model.charset.characters if c not in known),
    )


def _rows(old: Tensor, sources: Sequence[int]) -> Tensor:
    """Pick rows of a head's weight or bias; -1 makes a new one."""
    new = torch.zeros(len(sources), *old.shape[1:], dtype=old.dtype)
    if old.ndim == 1:
        new += old[1:].mean() - old[1:].std(correction=0)
    kept = torch.tensor([row for row, source in enumerate(sources) if source >= 0])
    new[kept] = old[torch.tensor([source for source in sources if source >= 0])]
    return new


def preprocess_of(model: Model, given: Mapping[str, Any]) -> Preprocess:
    """Return the model's preprocessing, with the limits that the configuration sets.

    Raises:
        ConfigError: the configuration says something else; names both values.
    """
    return Preprocess.from_dict(reconcile_config(model, "preprocess", given))

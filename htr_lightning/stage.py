"""What a run starts from, and which weights may move when."""

import fnmatch
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from htr_lightning.charset import Charset, printable
from htr_lightning.checkpoint import Model, load_model
from htr_lightning.config import ConfigError
from htr_lightning.data.preprocess import Preprocess
from htr_lightning.model.recognizer import CRNN, rebuild

log = logging.getLogger(__name__)
_HEADS = ("head", "auxiliary_head")
_FREE = {"model": ("dropout",), "preprocess": ("max_width_px", "max_pixels")}
"""Settings that change neither what the weights are nor what they see; the configuration decides them."""


@dataclass(frozen=True)
class Pretrain:
    """Train every weight from its initial value."""

    def load(self, resume: Path | None) -> None:
        """Start from nothing."""

    def movement(self, network: nn.Module) -> "Movement":
        """Let everything move."""
        return Movement(network)


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
            ``backbone.stages.[01]``). Frozen batch normalisation keeps its statistics.
        thaw_epoch: frozen parts and the epoch, counted from 0, in which they start to move.
        thaw_step: the same by optimiser steps.
        layer_decay: learning rate of each block as a share of that of the block above it; 1 for one rate. The
            blocks, from the top: the heads, the recurrent layers, the stages of the backbone from the last to the
            first, its stem.

    Raises:
        ValueError: a setting that cannot be; names ``stage.<key>``.
    """

    start_from: str
    charset: Literal["keep", "extend", "replace"] = "extend"
    freeze: Sequence[str] = ()
    thaw_epoch: Mapping[str, int] = field(default_factory=dict)
    thaw_step: Mapping[str, int] = field(default_factory=dict)
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"stage.layer_decay: {self.layer_decay} is not above 0 and at most 1")
        for key in ("thaw_epoch", "thaw_step"):
            for path, when in getattr(self, key).items():
                if when < 1:
                    raise ValueError(f"stage.{key}.{path}: {when} is too early; give 1 or more, or do not freeze it")
        both = set(self.thaw_epoch) & set(self.thaw_step)
        if both:
            raise ValueError(f"stage.thaw_step.{min(both)}: is in stage.thaw_epoch too; keep one of them")

    def load(self, resume: Path | None) -> Model:
        """Read the model to start from; of a run that goes on, the checkpoint, as the model may have moved since.

        Raises:
            ModelFileError: it is missing, damaged or of a newer format.
        """
        return load_model(resume or self.start_from)

    def movement(self, network: nn.Module) -> "Movement":
        """Freeze what is to be frozen.

        Raises:
            ConfigError: a path matches nothing or everything, or is to be thawed without being frozen.
        """
        return Movement(network, self.freeze, self.thaw_epoch, self.thaw_step, self.layer_decay)


def settled(model: Model, key: Literal["model", "preprocess"], given: Mapping[str, Any]) -> dict[str, Any]:
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
        listed = ", ".join(f"{printable(character)} {number} times" for character, number in unknown.most_common(20))
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
                log.info("%d characters are %s: %s", len(characters), what, printable(characters))


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
    network = rebuild(model.info.architecture, charset.num_classes, dict(arguments))
    old_id = {character: number for number, character in enumerate(model.charset.characters, start=1)}
    sources = [0] + [old_id.get(character, -1) for character in charset.characters]
    weights = {
        name: _rows(tensor, sources) if name.split(".")[0] in _HEADS else tensor
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


@dataclass(frozen=True)
class Block:
    """A part of a network as the table before training shows it.

    Attributes:
        name: path of the module.
        num_parameters: in it.
        frozen: what of it does not move, and until when: empty, ``always``, ``epoch 3``, ``step 500``, ``partly``.
        rate: its learning rate as a share of ``optim.lr``.
    """

    name: str
    num_parameters: int
    frozen: str
    rate: float


class Movement:
    """Which parameters of a network move when, and how fast.

    Args:
        network: its parameters are named by their paths.
        freeze: see `Finetune`, as the others.
        thaw_epoch: frozen parts and the epoch in which they start to move.
        thaw_step: the same by steps.
        layer_decay: of the learning rate from each block to the one below.

    Raises:
        ConfigError: a path matches nothing or everything, or is to be thawed without being frozen.
    """

    def __init__(
        self,
        network: nn.Module,
        freeze: Sequence[str] = (),
        thaw_epoch: Mapping[str, int] | None = None,
        thaw_step: Mapping[str, int] | None = None,
        layer_decay: float = 1.0,
    ) -> None:
        self.network, self.layer_decay = network, layer_decay
        names = [name for name, _ in network.named_parameters()]
        self._thawed_at: dict[str, tuple[str, int] | None] = {}
        for path in freeze:
            matched = list(_matching(names, path))
            if not matched:
                raise ConfigError(
                    f"stage.freeze: {path!r} matches nothing; the blocks are {', '.join(blocks(network))}"
                )
            self._thawed_at |= dict.fromkeys(matched)
        if len(self._thawed_at) == len(names):
            raise ConfigError(f"stage.freeze: {list(freeze)} freeze everything, and nothing would be learnt")
        for unit, thaw in (("epoch", thaw_epoch or {}), ("step", thaw_step or {})):
            for path, when in thaw.items():
                matched = [name for name in _matching(names, path) if name in self._thawed_at]
                if not matched:
                    raise ConfigError(
                        f"stage.thaw_{unit}.{path}: is not frozen; add it to stage.freeze, or take it out here"
                    )
                self._thawed_at |= dict.fromkeys(matched, (unit, when))

    def frozen(self, epoch: int, step: int) -> set[str]:
        """Return the names of the parameters that do not move in a step."""
        now = {"epoch": epoch, "step": step}
        return {name for name, at in self._thawed_at.items() if at is None or now[at[0]] < at[1]}

    def apply(self, epoch: int, step: int) -> None:
        """Freeze and thaw for a step: gradients, and the statistics of batch normalisation."""
        frozen = self.frozen(epoch, step)
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(name not in frozen)
            if name in frozen:
                parameter.grad = None
        for path, module in self.network.named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and self.network.training:
                module.train(f"{path}.weight" not in frozen)

    def rates(self) -> dict[str, float]:
        """Return the learning rate of each parameter as a share of ``optim.lr``."""
        order = blocks(self.network)
        below = [name for name in order if name not in _HEADS]
        shares = {name: self.layer_decay ** (len(below) - place) for place, name in enumerate(below)}
        shares |= {name: 1.0 for name in order if name in _HEADS}
        return {
            name: next(shares[block] for block in order if name.startswith(f"{block}."))
            for name, _ in self.network.named_parameters()
        }

    def table(self) -> list[Block]:
        """Return every block, from the input to the output."""
        rates, rows = self.rates(), []
        for block in blocks(self.network):
            inside = [(n, p) for n, p in self.network.named_parameters() if n.startswith(f"{block}.")]
            states = {self._words(name) for name, _ in inside}
            rows.append(
                Block(
                    block,
                    sum(p.numel() for _, p in inside),
                    states.pop() if len(states) == 1 else "partly",
                    rates[inside[0][0]],
                )
            )
        return rows

    def log_table(self, lr: float) -> None:
        """Log the table, if not everything moves alike."""
        rows = self.table()
        if len({(row.frozen, row.rate) for row in rows}) == 1 and not rows[0].frozen:
            return
        lines = [f"  {row.name:<20} {row.num_parameters:>10,}  {row.rate * lr:<9.2g} {row.frozen}" for row in rows]
        log.info("\n".join([f"  {'block':<20} {'parameters':>10}  {'rate':<9} frozen until", *lines]))

    def _words(self, name: str) -> str:
        if name not in self._thawed_at:
            return ""
        at = self._thawed_at[name]
        return "always" if at is None else f"{at[0]} {at[1]}"


def blocks(network: nn.Module) -> list[str]:
    """Return the paths of a network's parts, from the input to the output; the heads come last."""
    names: list[str] = []
    for name, module in network.named_children():
        if not any(True for _ in module.parameters()):
            continue
        parts = [f"{name}.{part}" for part in _children(module)] if name == "backbone" else [name]
        names += parts
    return names


def _children(module: nn.Module) -> Iterator[str]:
    for name, child in module.named_children():
        yield from (f"{name}.{index}" for index in range(len(child))) if isinstance(child, nn.ModuleList) else (name,)


def _matching(names: Iterable[str], path: str) -> Iterator[str]:
    """Yield the parameters that a path names: one, or all in a module."""
    return (name for name in names if fnmatch.fnmatchcase(name, path) or fnmatch.fnmatchcase(name, f"{path}.*"))


class Thaw(Callback):
    """Freezes and thaws as training goes on; what is frozen follows from epoch and step alone, also after a resume."""

    def __init__(self, movement: Movement) -> None:
        self.movement = movement

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Freeze what is frozen at the first step of the run, or of its continuation."""
        self.movement.apply(trainer.current_epoch, trainer.global_step)

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Follow epoch and step; validation puts every module back into training mode, too."""
        self.movement.apply(trainer.current_epoch, trainer.global_step)


def preprocess_of(model: Model, given: Mapping[str, Any]) -> Preprocess:
    """Return the model's preprocessing, with the limits that the configuration sets.

    Raises:
        ConfigError: the configuration says something else; names both values.
    """
    return Preprocess.from_dict(settled(model, "preprocess", given))

"""Freezing, unfreezing, and the learning rate of each block of a network."""

import fnmatch
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from torch import nn

from htr_lightning.config.schema import ConfigError
from htr_lightning.model.network import Network

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Block:
    """A part of a network as the table before training shows it.

    Attributes:
        name: path of the module.
        num_parameters: in it.
        frozen: until when it is frozen: empty, ``always``, ``epoch 3``, ``step 500``, ``partly``.
        rate: its learning rate as a fraction of ``optim.lr``.
    """

    name: str
    num_parameters: int
    frozen: str
    rate: float


class FreezingSchedule:
    """When the parameters of a network are frozen, and their learning rates.

    Args:
        network: its parameters are named by their paths.
        freeze: see `htr_lightning.training.stage.Finetune`, as the others.
        unfreeze_epoch: frozen parts and the epoch in which they are unfrozen.
        unfreeze_step: the same by steps.
        layer_decay: of the learning rate from each block to the one below.

    Raises:
        ConfigError: a path matches nothing or everything, or is to be unfrozen without being frozen.
    """

    def __init__(
        self,
        network: Network,
        freeze: Sequence[str] = (),
        unfreeze_epoch: Mapping[str, int] | None = None,
        unfreeze_step: Mapping[str, int] | None = None,
        layer_decay: float = 1.0,
    ) -> None:
        self.network, self.layer_decay = network, layer_decay
        names = [name for name, _ in network.named_parameters()]
        self._unfrozen_at: dict[str, tuple[str, int] | None] = {}
        for path in freeze:
            matched = list(_match_names(names, path))
            if not matched:
                remedy = f"choose from {', '.join(list_blocks(network))}"
                raise ConfigError(f"{path!r} matches nothing", key="stage.freeze", remedy=remedy)
            self._unfrozen_at |= dict.fromkeys(matched)
        if len(self._unfrozen_at) == len(names):
            remedy = "leave something to train"
            raise ConfigError("everything is frozen", key="stage.freeze", value=list(freeze), remedy=remedy)
        for unit, unfreeze in (("epoch", unfreeze_epoch or {}), ("step", unfreeze_step or {})):
            for path, when in unfreeze.items():
                matched = [name for name in _match_names(names, path) if name in self._unfrozen_at]
                if not matched:
                    remedy = "add it to stage.freeze, or remove it here"
                    raise ConfigError("the part is not frozen", key=f"stage.unfreeze_{unit}.{path}", remedy=remedy)
                self._unfrozen_at |= dict.fromkeys(matched, (unit, when))

    def get_frozen_names(self, epoch: int, step: int) -> set[str]:
        """Return the names of the parameters that are frozen in a step."""
        now = {"epoch": epoch, "step": step}
        return {name for name, at in self._unfrozen_at.items() if at is None or now[at[0]] < at[1]}

    def apply(self, epoch: int, step: int) -> None:
        """Freeze and unfreeze parameters and the statistics of batch normalization for a step."""
        if not self._unfrozen_at:
            return
        frozen = self.get_frozen_names(epoch, step)
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(name not in frozen)
            if name in frozen:
                parameter.grad = None
        for path, module in self.network.named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and self.network.training:
                module.train(f"{path}.weight" not in frozen)

    def compute_rates(self) -> dict[str, float]:
        """Return the learning rate of each parameter as a fraction of ``optim.lr``."""
        order = list_blocks(self.network)
        below = [name for name in order if name not in self.network.heads]
        factors = {name: self.layer_decay ** (len(below) - place) for place, name in enumerate(below)}
        factors |= dict.fromkeys(self.network.heads, 1.0)
        return {
            name: next(factors[block] for block in order if name.startswith(f"{block}."))
            for name, _ in self.network.named_parameters()
        }

    def summarize_blocks(self) -> list[Block]:
        """Return every block, from the input to the output."""
        rates, rows = self.compute_rates(), []
        for block in list_blocks(self.network):
            inside = [(n, p) for n, p in self.network.named_parameters() if n.startswith(f"{block}.")]
            states = {self._frozen_until(name) for name, _ in inside}
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
        """Log a table of the blocks: parameters, peak learning rate, and until when they are frozen."""
        lines = [
            f"  {row.name:<20} {row.num_parameters:>10,}  {row.rate * lr:<9.2g} {row.frozen or '-'}"
            for row in self.summarize_blocks()
        ]
        log.info("\n".join([f"  {'block':<20} {'parameters':>10}  {'peak lr':<9} frozen until", *lines]))

    def _frozen_until(self, name: str) -> str:
        if name not in self._unfrozen_at:
            return ""
        at = self._unfrozen_at[name]
        return "always" if at is None else f"{at[0]} {at[1]}"


def list_blocks(network: Network) -> list[str]:
    """Return the paths of a network's parts that have parameters, from the input to the output; the heads come last."""
    parts = [*reversed(network.blocks()), *network.heads]
    return [part for part in parts if any(True for _ in network.get_submodule(part).parameters())]


def _match_names(names: Iterable[str], path: str) -> Iterator[str]:
    """Yield the parameters that a path names: one, or all in a module."""
    return (name for name in names if fnmatch.fnmatchcase(name, path) or fnmatch.fnmatchcase(name, f"{path}.*"))


class Unfreeze(Callback):
    """Applies the freezing schedule; what is frozen follows from epoch and step alone, also in a resumed run."""

    def __init__(self, freezing: FreezingSchedule) -> None:
        self.freezing = freezing

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Apply the schedule at the first step of a new or resumed run."""
        self.freezing.apply(trainer.current_epoch, trainer.global_step)

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Apply the schedule at each step; validation puts every module back into training mode."""
        self.freezing.apply(trainer.current_epoch, trainer.global_step)

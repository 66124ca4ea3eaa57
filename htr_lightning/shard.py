"""The part of a list of work that one of several machines takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from htr_lightning.errors import InputError

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Shard:
    """The part of a list that one of several machines works on: every ``count``-th item.

    Attributes:
        number: from 1.
        count: of all parts.

    Raises:
        InputError: there is no such part.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            remedy = "give two numbers as in 1/8, the first from 1 to the second"
            raise InputError("there is no such part", key="--shard", value=f"{self.number}/{self.count}", remedy=remedy)

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Parse ``1/8``.

        Raises:
            InputError: it is nothing like that, or there is no such part.
        """
        number, slash, count = text.partition("/")
        if not (slash and number.strip().isdecimal() and count.strip().isdecimal()):
            raise InputError("this is no part", key="--shard", value=text, remedy="give two numbers as in 1/8")
        return cls(int(number), int(count))

    def take(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items of this part, in order."""
        return items[self.number - 1 :: self.count]

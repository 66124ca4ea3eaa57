"""The DataLoader of a run, which continues in the middle of an epoch."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypeVar, cast

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from htr_lightning.image.files import DataError

BatchT = TypeVar("BatchT")


class ResumableBatches(Protocol):
    """The batches of each epoch, in an order that depends on the epoch alone.

    Attributes:
        epoch: current epoch, from 0.
    """

    epoch: int

    @property
    def num_skipped(self) -> int:
        """Number of batches of the current epoch that are skipped."""
        ...

    def skip_batches(self, epoch: int, num_batches: int) -> None:
        """Skip the first batches of one epoch: a resumed run was already trained on them."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


class ResumableLoader(DataLoader[BatchT]):
    """A loader whose state is saved in checkpoints, so that a resumed run continues with the next batch.

    Args:
        dataset: makes a batch of what ``batches`` yields.
        batches: in their order.
        num_workers: processes that collate; 0 for none.
        sampler: ignored, as the two below: Lightning gives them when it makes the loader again, to predict.
        shuffle: ignored.
        batch_sampler: ignored.
    """

    def __init__(
        self,
        dataset: Dataset[BatchT],
        batches: ResumableBatches,
        num_workers: int,
        sampler: object = None,
        shuffle: bool = False,
        batch_sampler: object = None,
    ) -> None:
        super().__init__(
            dataset,
            sampler=cast(Sampler[Any], batches),
            batch_size=None,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )
        self.batches, self._num_consumed = batches, 0

    def __iter__(self) -> Iterator[BatchT]:  # type: ignore[override]
        """Yield the batches of an epoch; workers start with the first one, when Lightning has set the epoch.

        Lightning makes iterators before it calls ``set_epoch``, and workers would fetch batches of another epoch
        (Lightning-AI/pytorch-lightning#21938).
        """
        self._num_consumed = self.batches.num_skipped
        for batch in super().__iter__():
            self._num_consumed += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return the position in the epoch; Lightning saves it in checkpoints."""
        return {"epoch": self.batches.epoch, "num_batches": self._num_consumed, "of": len(self.batches)}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue from a saved position; Lightning calls this when it resumes a run.

        Raises:
            DataError: the epoch is divided into other batches now.
        """
        if state["num_batches"] < state["of"] != len(self.batches):
            raise DataError(
                f"the run stopped in the middle of an epoch of {state['of']} batches, and now there are "
                f"{len(self.batches)}",
                key="resume",
                remedy="restore the settings of the loader and the number of processes, or start a new run",
            )
        self.batches.skip_batches(state["epoch"], state["num_batches"])

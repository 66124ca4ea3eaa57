"""Errors that torch raises as a plain ``RuntimeError``: only their text tells them apart.

No other module reads the text of an error. Once torch raises classes of its own for them, use those.
"""

import torch


def is_killed_worker(error: BaseException) -> bool:
    """Return whether a worker of a ``DataLoader`` was killed."""
    return isinstance(error, RuntimeError) and "DataLoader worker" in str(error)


def is_lost_process(error: BaseException) -> bool:
    """Return whether another process of the run ended: NCCL raises a class of its own for it, gloo does not."""
    if not isinstance(error, RuntimeError):
        return False
    is_gloo = "gloo" in str(error) and any(word in str(error) for word in ("Connection", "Read error", "Timed out"))
    return is_gloo or isinstance(error, getattr(torch.distributed, "DistBackendError", ()))

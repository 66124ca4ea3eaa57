"""Errors of projects."""

from htr_lightning.errors import InputError


class ProjectError(InputError):
    """A project that cannot be opened, or a request that does not fit its state."""


class ConflictError(ProjectError):
    """A line was changed elsewhere in the meantime."""

"""A network that is not part of the package."""

from htr_lightning.model.crnn import CRNN


class OwnNetwork(CRNN):
    """Computes what a CRNN does."""

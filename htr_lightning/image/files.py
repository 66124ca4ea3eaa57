"""What all that read image files share: suffixes, limits, and the error."""

from PIL import features

from htr_lightning.errors import InputError

HAS_AVIF = bool(features.check("avif"))  # in Pillow 11.3 and later, unless it was built without
IMAGE_SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".gif"),
    *(".jp2", ".j2k", ".jpx", ".jpf", ".jpc", ".j2c", ".pbm", ".pgm", ".ppm", ".pnm"),
    *((".avif",) if HAS_AVIF else ()),
)
"""Suffixes of image files, of all formats that are decoded; folders are searched for them, in any letter case."""
MAX_PIXELS = 178_000_000
"""Default limit of width times height; Pillow's own limit is a little higher."""
MAX_WIDTH_STEP_PX = 4096
"""Largest step to which the widths of lines are rounded up; a model file that states a larger one would fill memory."""
MAX_ASPECT_DIFFERENCE = 0.02
"""Relative difference of two aspect ratios, of a page and of its image, up to which they are the same."""
REPLACE_FILE = "copy or export it again, or remove it from the dataset"
"""The remedy for an image file that is damaged."""


class DataError(InputError):
    """Data that is missing or unusable."""

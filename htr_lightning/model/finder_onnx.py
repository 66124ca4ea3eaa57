"""Line finders in ONNX files, for inference without PyTorch.

The file of the line finder that ships has no weights of its own: it refers to those of the safetensors file beside it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htr_lightning.device import count_threads
from htr_lightning.model.finder_info import FinderInfo, parse_finder_info
from htr_lightning.model.info import FINDER_KEY, ModelFileError, check_exists

INPUT, LINES, ORIENTATIONS = "pages", "lines", "orientations"


@dataclass(frozen=True, slots=True, eq=False)
class OnnxFinder:
    """A line finder that ONNX Runtime runs (`htr_lightning.segmentation.maps.MapPredictor`)."""

    session: Any
    info: FinderInfo
    path: Path

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Predict the maps of a page ``(H, W)``.

        Raises:
            ModelFileError: ONNX Runtime cannot run the network.
        """
        try:
            lines, orientations = self.session.run([LINES, ORIENTATIONS], {INPUT: pixels[None, None]})
        except Exception as error:  # ONNX Runtime raises a dozen types without a common base class
            reason = str(error).partition("\n")[0]
            problem = f"ONNX Runtime cannot run it ({reason})"
            raise ModelFileError(problem, file=self.path, remedy="export it again", kind="damaged") from None
        return lines[0], orientations[0]


def read_onnx_finder(path: Path) -> OnnxFinder:
    """Read a line finder from an ONNX file.

    Raises:
        ModelFileError: the file is missing, damaged, of a newer format, or no line finder.
    """
    import onnxruntime

    check_exists(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # no errors, as they are raised
    options.intra_op_num_threads = count_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others use the cores meanwhile
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        reason = str(error).partition("\n")[0]
        raise ModelFileError(
            f"not a complete ONNX file ({reason})", file=path, remedy="copy it or export it again", kind="damaged"
        ) from None
    metadata = session.get_modelmeta().custom_metadata_map
    if FINDER_KEY not in metadata:
        remedy = "give a line finder, or zoo:finder"
        raise ModelFileError("an ONNX file, but no line finder", file=path, remedy=remedy, kind="foreign")
    return OnnxFinder(session, parse_finder_info(metadata[FINDER_KEY], path), path)

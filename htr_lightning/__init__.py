"""Handwritten text recognition with PyTorch Lightning and Hydra.

Shapes in docstrings use these letters throughout the package:

=  ==========================================
N  lines in a batch
C  channels
H  height in pixels
W  width in pixels
T  frames: time steps of the recogniser's head
D  features per frame
K  classes, of which class 0 is the CTC blank
L  length of a text in characters
=  ==========================================
"""

__version__ = "0.1.0"

"""CTC decoding: from frames to text, with positions and confidences."""

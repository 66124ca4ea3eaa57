"""Images: decoding, cropping and preprocessing of lines."""

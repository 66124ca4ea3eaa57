"""Networks as plain ``torch.nn.Module``, model files with their metadata, and ONNX export; no Lightning, no Hydra."""

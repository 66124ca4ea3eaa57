"""Networks as plain ``torch.nn.Module``: no Lightning, no Hydra, no files."""

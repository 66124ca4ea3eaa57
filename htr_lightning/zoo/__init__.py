"""The models that ship with this package: a ``NAME.safetensors`` and its card ``NAME.md`` each."""

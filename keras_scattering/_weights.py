"""What the cascade computes with: the arrays of a design as tensors, and by which operations."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Weights:
    """Tensors by name, and what is known of where they meet their signals."""

    tensors: dict[str, tf.Tensor]
    products: bool = False  # Fourier transforms are to be products with real matrices
    xla: bool = False  # XLA compiles what is made of them
    threads: bool = False  # a CPU's threads are to take a few signals each through many operations
    taped: bool = False  # what is made of them is for a gradient, which needs planes, not moduli

    def __getitem__(self, name: str) -> tf.Tensor:
        return self.tensors[name]

"""What the cascade computes with: the arrays of a design as tensors, and by which operations."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Weights:
    """Tensors by name, and what is known of where they meet their signals."""

    tensors: dict[str, tf.Tensor]
    products: bool = False  # Fourier transforms are to be products with real matrices
    threads: bool = False  # they are a CPU's, each of which runs one operation after the other

    def __getitem__(self, name: str) -> tf.Tensor:
        return self.tensors[name]

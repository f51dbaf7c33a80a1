"""What the cascade computes with: the arrays of a design as tensors, and the kind of transforms."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Weights:
    """Tensors by name, and whether Fourier transforms are to be products with real matrices."""

    tensors: dict[str, tf.Tensor]
    products: bool = False

    def __getitem__(self, name: str) -> tf.Tensor:
        return self.tensors[name]

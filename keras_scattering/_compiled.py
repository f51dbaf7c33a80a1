"""The cascade as a few XLA clusters in an ordinary graph.

XLA fuses the passes over memory of which a plain graph has many. But on CPUs its runtime does
nearly one thing after the other, so that a cascade compiled as a whole keeps little more than one
core busy. Here the branches are dealt into shares of like cost and the batch into halves, each
share of each half is a cluster, and TensorFlow runs clusters side by side.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

from keras_scattering._cascade import coefficients, in_order, over_parts
from keras_scattering._weights import Weights
from keras_scattering.plans.plan import Design, Plan

_SHARES = 2
_PARTS = 2

_compile = functools.partial(tf.function, jit_compile=True, autograph=False)


def compiled(
    plan: Plan, design: Design, size: tuple[int, ...], products: bool
) -> Callable[[Weights, tf.Tensor], list[tf.Tensor]]:
    """`scatter` for signals of a size, to be called with weights and signals (batch, *size).

    It is traced once, and compiled once for each size that half of a batch has.
    """
    (dtype,) = {array.dtype for array in design.arrays.values()}
    signature = [
        {name: tf.TensorSpec(array.shape, dtype) for name, array in design.arrays.items()},
        tf.TensorSpec((None, *size), dtype),
    ]
    shares = design.shares(_SHARES)
    rows = [rows for share in shares for rows in share.rows]

    @tf.function(input_signature=signature, autograph=False)
    def run(tensors: dict[str, tf.Tensor], x: tf.Tensor) -> list[tf.Tensor]:
        weights = Weights(tensors, products)
        batch = tf.shape(x)[0]
        count = tf.clip_by_value(batch, 1, _PARTS)
        each = -(-batch // count)
        x = tf.pad(x, [(0, count * each - batch), *[(0, 0)] * len(size)])
        parts = tf.reshape(x, (count, each, *size))
        outputs: list[tf.Tensor] = []
        for share in shares:
            function = functools.partial(coefficients, plan, share, weights)
            made = 1 if plan.stacked else len(share.rows)
            outputs += over_parts(function, parts, made, _compile)
        outputs = [tf.reshape(y, (count * each, *y.shape[2:]))[:batch] for y in outputs]
        return in_order(plan, rows, outputs)

    # Not `run` itself, which Keras would save with the layer.
    return lambda weights, x: run(weights.tensors, x)

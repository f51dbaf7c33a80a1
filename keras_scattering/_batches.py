"""Batches through the cascade, a few signals at a time: in an ordinary graph, or as XLA clusters.

The signals of a part of the batch fit in a processor's cache, and neither memory nor the graph
grows with the batch. Two parts are under way at a time: cores share out whole parts with less
waiting than they share out each operation.

XLA fuses the passes over memory of which an ordinary graph has many. But on CPUs its runtime does
nearly one thing after the other, so that a cascade compiled as a whole keeps little more than one
core busy. So the branches are dealt into shares of like cost, and the batch into halves; each share
of each half is a cluster, and TensorFlow runs clusters side by side.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from keras_scattering._cascade import coefficients, in_order
from keras_scattering._weights import Weights
from keras_scattering.plans.plan import Design, Plan

# Real samples of the largest set of signals of a part: their temporaries fit in a cache.
_WORKING_SET = 2**19
# Eagerly every operation has a cost of its own, so that larger parts pay.
_EAGER_WORKING_SET = 2**24
# Real samples of all signals of a share, for one item: XLA allocates for many of them at once, and
# a block larger than the C library keeps comes anew, page by page, in each call.
_SHARE = 2**21
_PARALLEL = 2

_compile = functools.partial(tf.function, jit_compile=True, autograph=False)


def _as_it_is(function: Callable) -> Callable:
    return function


def _over_parts(
    function: Callable, parts: Sequence[tf.Tensor], outputs: int, compiler: Callable
) -> Any:
    """Apply a function of tensors to each of a few parts (count, ...), in a loop of the graph.

    The gradient computes each part anew, so that training holds the signals of a few parts as well.
    `compiler` is applied to what computes a part, and to what computes its gradient.
    """

    @tf.autograph.experimental.do_not_convert  # exporting traces gradients on their own
    def adjoint(*tensors: tf.Tensor) -> Any:
        inputs, slopes = tensors[: len(parts)], tensors[len(parts) :]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            results = function(*inputs)
        return list(tape.gradient(results, inputs, slopes, tf.UnconnectedGradients.ZERO))

    @tf.custom_gradient
    def run(*parts: tf.Tensor) -> tuple[Any, Callable]:
        once = compiler(function)
        kinds = [parts[0].dtype] * outputs
        results = tf.map_fn(
            lambda part: once(*part),
            parts,
            parallel_iterations=_PARALLEL,
            fn_output_signature=kinds,
        )
        return results, lambda *slopes: _over_parts(adjoint, parts + slopes, len(parts), compiler)

    return run(*parts)


def _in_parts(
    function: Callable, x: tf.Tensor, count: Any, outputs: int, compiler: Callable = _as_it_is
) -> list[tf.Tensor]:
    """Apply a function of signals (batch, ...) to a number of equal parts of the batch."""
    batch = tf.shape(x)[0]
    each = -(-batch // count)
    # XLA needs one shape for all parts: fewer than `count` rows are padding.
    x = tf.pad(x, [(0, count * each - batch), *[(0, 0)] * (len(x.shape) - 1)])
    parts = tf.reshape(x, (count, each, *x.shape[1:]))
    results = _over_parts(function, (parts,), outputs, compiler)
    return [tf.reshape(y, (count * each, *y.shape[2:]))[:batch] for y in results]


def _scatter(
    plan: Plan, design: Design, weights: Weights, x: tf.Tensor, least: int
) -> list[tf.Tensor]:
    """`coefficients` by a few items at a time, in at least so many parts if the batch has them."""
    function = functools.partial(coefficients, plan, design, weights)
    working_set = _EAGER_WORKING_SET if tf.executing_eagerly() else _WORKING_SET
    most = 2 ** int(math.log2(max(1, working_set // design.samples)))  # divides most batches
    if x.shape[0] is None:
        batch = tf.shape(x)[0]
        count = tf.maximum(-(-batch // most), tf.clip_by_value(batch, 1, least))
    else:
        count = max(-(-x.shape[0] // most), min(x.shape[0], least), 1)
        if count == 1:
            return function(x)
    return _in_parts(function, x, count, 1 if plan.stacked else len(design.rows))


@tf.autograph.experimental.do_not_convert
def scatter(plan: Plan, design: Design, weights: Weights, x: tf.Tensor) -> list[tf.Tensor]:
    """Scattering coefficients of signals (batch, *size).

    Returns:
        If the plan is stacked, one tensor (batch, paths, *outputs); else one a path.
    """
    if weights.products:  # the runtimes that products are for have no loops
        outputs = coefficients(plan, design, weights, x)
    else:
        outputs = _scatter(plan, design, weights, x, 1 if tf.executing_eagerly() else _PARALLEL)
    return in_order(plan, design.rows, outputs)


def compiled(
    plan: Plan, design: Design, size: tuple[int, ...], products: bool
) -> Callable[[Weights, tf.Tensor], list[tf.Tensor]]:
    """`scatter` in XLA clusters, for signals of a size.

    It is traced once, and compiled once for each size that half of a batch has.
    """
    (dtype,) = {array.dtype for array in design.arrays.values()}
    signature = [
        {name: tf.TensorSpec(array.shape, dtype) for name, array in design.arrays.items()},
        tf.TensorSpec((None, *size), dtype),
    ]
    shares = design.shares(max(_PARALLEL, -(-design.cost // _SHARE)))

    @tf.function(input_signature=signature, autograph=False)
    def run(tensors: dict[str, tf.Tensor], x: tf.Tensor) -> list[tf.Tensor]:
        weights = Weights(tensors, products)
        count = tf.clip_by_value(tf.shape(x)[0], 1, _PARALLEL)
        outputs: list[tf.Tensor] = []
        for share in shares:
            function = functools.partial(_scatter, plan, share, weights, least=1)
            made = 1 if plan.stacked else len(share.rows)
            outputs += _in_parts(function, x, count, made, _compile)
        return in_order(plan, [rows for share in shares for rows in share.rows], outputs)

    # Not `run` itself, which Keras would save with the layer.
    return lambda weights, x: run(weights.tensors, x)

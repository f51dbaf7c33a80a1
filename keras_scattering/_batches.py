"""Batches through the cascade, a few signals at a time: in an ordinary graph, or as XLA clusters.

The signals of a part of the batch fit in a processor's cache, and neither memory nor the graph
grows with the batch. Two parts are under way at a time: cores share out whole parts with less
waiting than they share out each operation.

XLA fuses the passes over memory of which an ordinary graph has many. But on CPUs its runtime does
nearly one thing after the other, so that a cascade compiled as a whole keeps little more than one
core busy. So the batch is dealt into halves, and the branches into shares of like cost; each share
of each half is a cluster, and TensorFlow runs clusters side by side. What comes before the branches
is little, and would have to be compiled for each share: it stays outside.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_scattering._cascade import coefficients, in_order, run
from keras_scattering._spectral import Spectrum
from keras_scattering._weights import Weights
from keras_scattering.plans.plan import Branch, Design, Plan

# Real samples of the largest set of signals of a part: their temporaries fit in a cache.
_WORKING_SET = 2**20
_CLUSTER_WORKING_SET = 2**19
# Eagerly every operation has a cost of its own, so that larger parts pay.
_EAGER_WORKING_SET = 2**24
# Real samples of all signals of a share, for one item: XLA allocates for many of them at once, and
# a block larger than the C library keeps comes anew, page by page, in each call.
_SHARE = 2**21
_PARALLEL = 2

# Freed memory that lies at the end of the heap goes back to the system if it is more than twice the
# largest block that glibc has ever mapped on its own and seen freed; its pages come anew, one fault
# each, in the next call. This block is as large as counts, and costs nothing: no page is touched.
np.empty(2**25 - 2**14, np.uint8)

Apply = Callable[[Callable, Sequence[tf.Tensor], int], Any]
"""Gives the results, as many as it is told, of a function of tensors."""


def _anew(apply: Apply, function: Callable, tensors: Sequence[tf.Tensor], outputs: int) -> Any:
    """Apply a function to tensors in such a way that its gradient computes it anew.

    So training holds no signals but those of the parts under way. The gradient is a function of
    tensors that is applied in the same way.
    """

    @tf.autograph.experimental.do_not_convert  # exporting traces gradients on their own
    def adjoint(*both: tf.Tensor) -> Any:
        inputs, slopes = both[: len(tensors)], both[len(tensors) :]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            results = function(*inputs)
        return list(tape.gradient(results, inputs, slopes, tf.UnconnectedGradients.ZERO))

    @tf.custom_gradient
    def run(*tensors: tf.Tensor) -> tuple[Any, Callable]:
        results = apply(function, tensors, outputs)
        return results, lambda *slopes: _anew(apply, adjoint, tensors + slopes, len(tensors))

    return run(*tensors)


def _loop(function: Callable, parts: Sequence[tf.Tensor], outputs: int) -> Any:
    """Apply a function to each of a few parts (count, ...), in a loop of the graph."""
    return tf.map_fn(
        lambda part: function(*part),
        tuple(parts),
        parallel_iterations=_PARALLEL,
        fn_output_signature=[parts[0].dtype] * outputs,
    )


def _cluster(function: Callable, tensors: Sequence[tf.Tensor], outputs: int) -> Any:
    """Apply a function compiled by XLA."""
    return tf.function(function, jit_compile=True, autograph=False)(*tensors)


def _in_parts(
    function: Callable, tensors: Sequence[tf.Tensor], count: Any, outputs: int
) -> list[tf.Tensor]:
    """Apply a function of tensors (batch, ...) to a number of equal parts of the batch."""
    batch = tf.shape(tensors[0])[0]
    each = -(-batch // count)
    # XLA needs one shape for all parts: fewer than `count` rows are padding.
    more = count * each - batch
    parts = [
        tf.reshape(
            tf.pad(x, [(0, more), *[(0, 0)] * (len(x.shape) - 1)]), (count, each, *x.shape[1:])
        )
        for x in tensors
    ]
    results = _anew(_loop, function, parts, outputs)
    return [tf.reshape(y, (count * each, *y.shape[2:]))[:batch] for y in results]


def _few(
    function: Callable, tensors: Sequence[tf.Tensor], outputs: int, most: int, least: int
) -> list[tf.Tensor]:
    """Apply it to at most so many items at a time, in at least so many parts of the batch."""
    size = tensors[0].shape[0]
    if size is None:
        batch = tf.shape(tensors[0])[0]
        count = tf.maximum(-(-batch // most), tf.clip_by_value(batch, 1, least))
    else:
        count = max(-(-size // most), min(size, least), 1)
        if count == 1:
            return function(*tensors)
    return _in_parts(function, tensors, count, outputs)


def _items(working_set: int, branches: Sequence[Branch]) -> int:
    """How many items make a working set: a power of two, which divides most batches."""
    samples = max(branch.samples for branch in branches)
    return 2 ** int(math.log2(max(1, working_set // samples)))


@tf.autograph.experimental.do_not_convert
def scatter(plan: Plan, design: Design, weights: Weights, x: tf.Tensor) -> list[tf.Tensor]:
    """Scattering coefficients of signals (batch, *size).

    Returns:
        If the plan is stacked, one tensor (batch, paths, *outputs); else one a path.
    """
    orders = functools.partial(run, plan, design.branches, weights)
    function = functools.partial(coefficients, plan, design, weights, orders=orders)
    if weights.products:  # the runtimes that products are for have no loops
        outputs = function(x)
    else:
        eager = tf.executing_eagerly()
        most = _items(_EAGER_WORKING_SET if eager else _WORKING_SET, design.branches)
        made = 1 if plan.stacked else len(design.rows)
        outputs = _few(function, [x], made, most, 1 if eager else _PARALLEL)
    return in_order(plan, design.rows, outputs)


def compiled(
    plan: Plan, design: Design, size: tuple[int, ...], products: bool
) -> Callable[[Weights, tf.Tensor], list[tf.Tensor]]:
    """`scatter` whose branches are XLA clusters, for signals of a size.

    It is traced once, and compiled once for each size that half of a batch has.
    """
    (dtype,) = {array.dtype for array in design.arrays.values()}
    signature = [
        {name: tf.TensorSpec(array.shape, dtype) for name, array in design.arrays.items()},
        tf.TensorSpec((None, *size), dtype),
    ]
    shares = design.shares(max(_PARALLEL, -(-design.cost // _SHARE)))
    order = [(0,)] * (design.average is not None)
    order += [rows for share in shares for branch in share for rows in branch.rows]

    def cluster(share: Sequence[Branch], weights: Weights, x_hat: Spectrum) -> list[tf.Tensor]:
        """What a share makes of spectra; a loop within the cluster takes a few items at a time."""
        made = 1 if plan.stacked else sum(len(branch.rows) for branch in share)

        def few(*planes: tf.Tensor) -> list[tf.Tensor]:
            return run(plan, share, weights, Spectrum(tf.stack(planes), x_hat.lines))

        def all_items(*planes: tf.Tensor) -> list[tf.Tensor]:
            return _few(few, planes, made, _items(_CLUSTER_WORKING_SET, share), 1)

        return _anew(_cluster, all_items, tf.unstack(x_hat.planes), made)

    @tf.function(input_signature=signature, autograph=False)
    def transform(tensors: dict[str, tf.Tensor], x: tf.Tensor) -> list[tf.Tensor]:
        weights = Weights(tensors, products)
        inside = dataclasses.replace(weights, fused=True)

        def orders(x_hat: Spectrum) -> list[tf.Tensor]:
            return [y for share in shares for y in cluster(share, inside, x_hat)]

        function = functools.partial(coefficients, plan, design, weights, orders=orders)
        count = tf.clip_by_value(tf.shape(x)[0], 1, _PARALLEL)
        outputs = _in_parts(function, [x], count, 1 if plan.stacked else len(order))
        return in_order(plan, order, outputs)

    # Not `transform` itself, which Keras would save with the layer.
    return lambda weights, x: transform(weights.tensors, x)

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

# Real samples of the largest set of signals of a part: their temporaries fit in a cache. In
# XLA clusters a quarter of them took no longer, at half of the temporaries.
_WORKING_SET = 2**20
_CLUSTER_WORKING_SET = 2**18
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

_compile = functools.partial(tf.function, jit_compile=True, autograph=False)


def _adjoint(function: Callable, count: int) -> Callable:
    """The gradient of a function of so many tensors: a function of them, and of slopes."""

    @tf.autograph.experimental.do_not_convert  # exporting traces gradients on their own
    def adjoint(*both: tf.Tensor) -> list[tf.Tensor]:
        inputs, slopes = both[:count], both[count:]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            results = function(*inputs)
        return list(tape.gradient(results, inputs, slopes, tf.UnconnectedGradients.ZERO))

    return adjoint


def _over_parts(
    function: Callable,
    parts: Sequence[tf.Tensor],
    outputs: int,
    adjoint: Callable | None = None,
) -> Any:
    """Apply a function of tensors to each of a few parts (count, ...), in a loop of the graph.

    The gradient computes each part anew, so that training holds the signals of a few parts as well.
    """
    backward = adjoint or _adjoint(function, len(parts))

    @tf.custom_gradient
    def run(*parts: tf.Tensor) -> tuple[Any, Callable]:
        results = tf.map_fn(
            lambda part: function(*part),
            parts,
            parallel_iterations=_PARALLEL,
            fn_output_signature=[parts[0].dtype] * outputs,
        )
        return results, lambda *slopes: _over_parts(backward, parts + slopes, len(parts))

    return run(*parts)


def _in_parts(
    function: Callable,
    tensors: Sequence[tf.Tensor],
    count: Any,
    outputs: int,
    adjoint: Callable | None = None,
) -> list[tf.Tensor]:
    """Apply a function of tensors (batch, ...) to a number of equal parts of the batch."""
    batch = tf.shape(tensors[0])[0]
    each = -(-batch // count)
    # XLA needs one shape for all parts: fewer than `count` rows are padding.
    rows = [(0, count * each - batch)]
    parts = [
        tf.reshape(tf.pad(x, rows + [(0, 0)] * (len(x.shape) - 1)), (count, each, *x.shape[1:]))
        for x in tensors
    ]
    results = _over_parts(function, parts, outputs, adjoint)
    return [tf.reshape(y, (count * each, *y.shape[2:]))[:batch] for y in results]


def _few(
    function: Callable, tensors: Sequence[tf.Tensor], outputs: int, most: int, least: int = 1
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
        made = 1 + (design.average is not None) if plan.stacked else len(design.rows)
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
    design = dataclasses.replace(design, branches=tuple(b for share in shares for b in share))
    outputs = (design.average is not None) + len(shares) if plan.stacked else len(design.rows)

    def cluster(
        share: Sequence[Branch], weights: Weights, x_hat: Spectrum, size: tf.Tensor
    ) -> list[tf.Tensor]:
        """What a share makes of spectra; a loop within the cluster takes a few items at a time."""
        made = 1 if plan.stacked else sum(len(branch.rows) for branch in share)

        def few(size: tf.Tensor, *planes: tf.Tensor) -> list[tf.Tensor]:
            spectra = Spectrum(tf.stack(planes), x_hat.lines)
            return run(plan, share, weights, spectra, size)

        @_compile
        def all_items(*tensors: tf.Tensor) -> list[tf.Tensor]:
            return _few(few, tensors, made, _items(_CLUSTER_WORKING_SET, share))

        return all_items(size, *tf.unstack(x_hat.planes))

    @tf.function(input_signature=signature, autograph=False)
    def transform(tensors: dict[str, tf.Tensor], x: tf.Tensor) -> list[tf.Tensor]:
        weights = Weights(tensors, products)
        inside = dataclasses.replace(weights, fused=True)

        def apart(x_hat: Spectrum, size: tf.Tensor) -> list[tf.Tensor]:
            return [y for share in shares for y in cluster(share, inside, x_hat, size)]

        def together(x_hat: Spectrum, size: tf.Tensor) -> list[tf.Tensor]:
            return [y for share in shares for y in run(plan, share, inside, x_hat, size)]

        def whole(x: tf.Tensor) -> list[tf.Tensor]:
            function = functools.partial(coefficients, plan, design, inside, orders=together)
            return _few(function, [x], outputs, _items(_CLUSTER_WORKING_SET, design.branches))

        # The gradient of half of a batch is one cluster, from which no intermediate signal comes.
        adjoint = _compile(_adjoint(whole, 1))
        function = functools.partial(coefficients, plan, design, weights, orders=apart)
        count = tf.clip_by_value(tf.shape(x)[0], 1, _PARALLEL)
        y = _in_parts(function, [x], count, outputs, adjoint)
        return in_order(plan, design.rows, y)

    # Not `transform` itself, which Keras would save with the layer.
    return lambda weights, x: transform(weights.tensors, x)

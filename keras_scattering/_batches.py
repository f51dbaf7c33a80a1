"""Batches through the cascade, a few signals at a time: in an ordinary graph, or as XLA clusters.

The signals of a part of the batch fit in a processor's cache, and neither memory nor the graph
grows with the batch. On a CPU each core takes a part of its own, but of volumes, whose operations
are large enough to be divided.

XLA fuses the passes over memory of which an ordinary graph has many. But on CPUs its runtime does
nearly one thing after the other, so that what is compiled as a whole keeps little more than one
core busy. So the parts of the batch are clusters, and TensorFlow runs them side by side.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_scattering._cascade import coefficients, separate
from keras_scattering._gradient import adjoint_of, recomputed
from keras_scattering._parallel import (
    CORES,
    PARALLEL,
    a_thread_each,
    choose,
    in_turn,
    traced,
)
from keras_scattering._weights import Weights
from keras_scattering.plans.plan import Branch, Design, Plan

# Real samples of the largest set of signals of a part: their temporaries fit in a cache. Pictures
# are computed in smaller pieces, which are joined again. In XLA clusters a quarter of the samples
# took no longer, at half of the temporaries.
_WORKING_SET = 2**20
_PICTURES_WORKING_SET = 2**19
_CLUSTER_WORKING_SET = 2**18
# Eagerly every operation has a cost of its own, so that larger parts pay.
_EAGER_WORKING_SET = 2**24
_ANY = 2**31 - 1  # items: as many as there are

# Freed memory that lies at the end of the heap goes back to the system if it is more than twice the
# largest block that glibc has ever mapped on its own and seen freed; its pages come anew, one fault
# each, in the next call. This block is as large as counts, and costs nothing: no page is touched.
np.empty(2**25 - 2**14, np.uint8)

_compile = functools.partial(tf.function, jit_compile=True, autograph=False)


def _few(
    apply: Callable,
    function: Callable,
    tensors: Sequence[tf.Tensor],
    outputs: int,
    most: int,
    least: int = 1,
) -> list[tf.Tensor]:
    """Apply a function of tensors (batch, ...) to equal parts of the batch.

    They are of so many items at most, and none is empty; there are about as many as asked for, if
    there are as many items.
    """
    batch, lower, higher = tensors[0].shape[0], min, max
    if batch is None:
        batch, lower, higher = tf.shape(tensors[0])[0], tf.minimum, tf.maximum
    each = higher(lower(-(-batch // least), most), 1)
    count = higher(-(-batch // each), 1)
    each = -(-batch // count)
    # XLA needs one shape for all parts: what is missing is padding.
    rows = [(0, count * each - batch)]
    parts = [
        tf.reshape(tf.pad(x, rows + [(0, 0)] * (len(x.shape) - 1)), (count, each, *x.shape[1:]))
        for x in tensors
    ]
    results = apply(function, parts, outputs)
    return [tf.reshape(y, (count * each, *y.shape[2:]))[:batch] for y in results]


def _items(working_set: int, branches: Sequence[Branch]) -> int:
    """How many items make a working set: a power of two, which divides most batches."""
    samples = max(branch.samples for branch in branches)
    return 2 ** int(math.log2(max(1, working_set // samples)))


def _cluster(function: Callable, made: int, most: int) -> tuple[Callable, Callable]:
    """A function of signals as an XLA cluster, and its gradient as another.

    Within them a loop takes so many items at a time, and no intermediate signal comes out.
    """

    def few(
        functions: Sequence[Callable], tensors: Sequence[tf.Tensor], made: int
    ) -> list[tf.Tensor]:
        return _few(in_turn, functions[0], tensors, made, most)

    def whole(x: tf.Tensor) -> list[tf.Tensor]:
        return recomputed(few, [function], [x], made)

    return _compile(whole), _compile(adjoint_of(whole, 1))


@tf.autograph.experimental.do_not_convert
def scatter(
    plan: Plan,
    design: Design,
    arrange: Callable[[tf.Tensor], tf.Tensor],
    weights: Weights,
    x: tf.Tensor,
    jit: bool = False,
) -> list[tf.Tensor]:
    """Scattering coefficients of signals (batch, *size); with `jit` their parts are clusters.

    Returns:
        If the plan is stacked, what `arrange` makes of (batch, paths, *outputs), part by part; else
        one tensor a path.
    """

    def way(threads: bool = False, taped: bool = False) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        inside = dataclasses.replace(weights, threads=threads, taped=taped, xla=jit)

        def transform(x: tf.Tensor) -> list[tf.Tensor]:
            outputs = coefficients(plan, design, inside, x)
            return [arrange(y) for y in outputs] if plan.stacked else outputs

        return transform

    made = 1 if plan.stacked else len(design.rows)
    eager = tf.executing_eagerly()
    if jit:
        most = _ANY
        cluster, adjoint = _cluster(way(), made, _items(_CLUSTER_WORKING_SET, design.branches))
        ways, adjoints = [cluster], [adjoint]
    else:
        pictures = len(x.shape) == 3
        # Only they are computed in another way, the first, where each thread takes a part.
        kinds = (True, False) if pictures else (False,)
        ways = [way(threads) for threads in kinds]
        adjoints = [adjoint_of(way(threads, taped=True), 1) for threads in kinds]
        working_set = _PICTURES_WORKING_SET if pictures else _WORKING_SET
        most = _items(_EAGER_WORKING_SET if eager else working_set, design.branches)

    def apply(
        functions: Sequence[Callable], tensors: Sequence[tf.Tensor], made: int
    ) -> list[tf.Tensor]:
        if eager:
            return _few(in_turn, functions[-1], tensors, made, most)
        graphs = [traced(function, tensors) for function in functions]
        threads, usual = graphs[0], graphs[-1]
        # Products of matrices, as of volumes, are large enough for threads to divide them well.
        if len(x.shape) == 4 and not jit:
            return _few(in_turn, usual, tensors, made, most)
        return choose(
            tf.shape(tensors[0])[0],
            lambda: usual(*tensors),
            lambda: [y[0] for y in a_thread_each(threads, [x[None] for x in tensors])],
            lambda: _few(a_thread_each, threads, tensors, made, most, CORES),
            lambda: _few(in_turn, usual, tensors, made, most, PARALLEL),
        )

    # There is nothing to deal out, and nothing to gain from computing it anew.
    whole = x.shape[0] <= most if eager else x.shape[0] == 1
    if whole or (weights.products and not jit):  # the runtimes for products have no loops
        outputs = ways[-1](x)
    else:
        outputs = recomputed(apply, ways, [x], made, adjoints)
    return outputs if plan.stacked else separate(design, outputs)


def compiled(
    plan: Plan,
    design: Design,
    arrange: Callable[[tf.Tensor], tf.Tensor],
    size: tuple[int, ...],
    products: bool,
) -> Callable[[Weights, tf.Tensor], list[tf.Tensor]]:
    """`scatter` by XLA clusters, for signals of a size.

    It is traced once, and compiled once for each size that a part of a batch has.
    """
    (dtype,) = {array.dtype for array in design.arrays.values()}
    signature = [
        {name: tf.TensorSpec(array.shape, dtype) for name, array in design.arrays.items()},
        tf.TensorSpec((None, *size), dtype),
    ]

    @tf.function(input_signature=signature, autograph=False)
    def transform(tensors: dict[str, tf.Tensor], x: tf.Tensor) -> list[tf.Tensor]:
        return scatter(plan, design, arrange, Weights(tensors, products), x, jit=True)

    # Not `transform` itself, which Keras would save with the layer.
    return lambda weights, x: transform(weights.tensors, x)

"""The cascade: run the branches of a plan one after the other, each on a few items at a time.

A branch filters the input by a group of wavelets of one resolution, and what follows from them;
its signals are dropped before the next branch begins. Control dependencies tell the graph so,
which would otherwise compute all branches at once and hold them all in memory.
"""

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_scattering._joint import pictures
from keras_scattering._spectral import (
    Spectrum,
    average,
    extend,
    power,
    respond,
    spectrum,
)
from keras_scattering._weights import Weights
from keras_scattering.plans.plan import Branch, Design, Plan, Stack

# Real samples of the signals computed at once: their temporaries fit in a processor's cache.
_WORKING_SET = 2**19
# Parts of a batch, and branches, under way at a time: cores share out whole parts with less waiting
# than they share out each operation.
_PARALLEL = 2
# Eagerly every operation has a cost of its own, so that larger parts pay.
_EAGER_WORKING_SET = 2**24


def _after(x: Spectrum, done: Sequence[tf.Tensor]) -> Spectrum:
    """The same spectrum, not to be read before all but the last of the given tensors are there."""
    if len(done) < _PARALLEL or tf.executing_eagerly():
        return x
    with tf.control_dependencies([done[-_PARALLEL]]):
        return Spectrum(tf.identity(x.planes), x.lines)


def _run(branch: Branch, x: Spectrum, weights: Weights, stacked: bool) -> list[tf.Tensor]:
    """The averages (b, paths, *outputs) of the nodes of a branch, if of one size in one tensor."""
    spectra = {0: x}
    outputs: list[tf.Tensor] = []
    for i, node in enumerate(branch.nodes, start=1):
        if isinstance(node, Stack):
            sources = [(_after(spectra[s], outputs), bank) for s, bank in node.sources]
            outputs += pictures(sources, node, weights)
            continue
        u = respond(_after(spectra[node.source], outputs), node.bank, weights)
        if node.lines:
            spectra[i] = spectrum(u, node.lines, weights)
        if node.average:
            outputs.append(average(u, node.average, weights))
    return [tf.concat(outputs, 1)] if stacked else outputs


def over_parts(
    function: Callable[[tf.Tensor], list[tf.Tensor]],
    parts: tf.Tensor,
    outputs: int,
    compiled: Callable = lambda function: function,
) -> list[tf.Tensor]:
    """Apply a function to each of a few parts (count, ...), in a loop of the graph.

    The gradient computes each part anew, so that training holds the signals of a few parts as well.
    `compiled` is applied to what computes a part, and to what computes its gradient.
    """
    kind = parts.dtype
    loop = functools.partial(tf.map_fn, parallel_iterations=_PARALLEL)

    @tf.autograph.experimental.do_not_convert  # exporting traces gradients on their own
    def adjoint(arguments: tuple[tf.Tensor, ...]) -> tf.Tensor:
        part, *upstream = arguments
        with tf.GradientTape() as tape:
            tape.watch(part)
            results = function(part)
        return tape.gradient(results, part, upstream)

    @tf.custom_gradient
    def run(parts: tf.Tensor) -> tuple[list[tf.Tensor], Callable]:
        results = loop(compiled(function), parts, fn_output_signature=[kind] * outputs)

        def gradient(*slopes: tf.Tensor) -> tf.Tensor:
            return loop(compiled(adjoint), (parts, *slopes), fn_output_signature=kind)

        return results, gradient

    return run(parts)


def _in_chunks(
    function: Callable[[Spectrum], list[tf.Tensor]], x: Spectrum, size: int, outputs: int
) -> list[tf.Tensor]:
    """Apply a function of a batch to at most `size` items at a time."""
    if x.planes.shape[1] is not None and x.planes.shape[1] <= size:
        return function(x)
    batch = tf.shape(x.planes)[1]
    count = tf.maximum(-(-batch // size), 1)
    # Equal parts, since XLA needs one shape for all; fewer than `count` rows are padding.
    size = -(-batch // count)
    rest = x.planes.shape[2:]
    planes = tf.pad(x.planes, [(0, 0), (0, count * size - batch), *[(0, 0)] * len(rest)])
    planes = tf.reshape(planes, (2, count, size, *rest))
    planes = tf.transpose(planes, (1, 0, *range(2, len(rest) + 3)))

    @tf.autograph.experimental.do_not_convert
    def part(planes: tf.Tensor) -> list[tf.Tensor]:
        return function(Spectrum(planes, x.lines))

    results = over_parts(part, planes, outputs)
    return [tf.reshape(y, (count * size, *y.shape[2:]))[:batch] for y in results]


def _power_of_two(x: tf.Tensor) -> tf.Tensor:
    """The largest power of two that is not above x >= 0, by its exponent's bits; 1 for zero.

    No rounding comes of dividing by it and multiplying with it. It has no gradient.
    """
    integer, mask = (tf.int64, 0x7FF << 52) if x.dtype == tf.float64 else (tf.int32, 0xFF << 23)
    y = tf.bitcast(
        tf.bitwise.bitwise_and(tf.bitcast(x, integer), tf.constant(mask, integer)), x.dtype
    )
    return tf.stop_gradient(tf.where(y > 0, y, tf.ones_like(y)))


def _size(x: tf.Tensor, products: bool) -> tf.Tensor:
    """The size of signals: the power of two at or below the largest value, 1 for nothing."""
    largest = tf.reduce_max(tf.abs(x), list(range(1, len(x.shape))), keepdims=True)
    if not products:
        return _power_of_two(largest)
    # The runtimes that products are for have no operations on bits: the largest value will do.
    normal = largest >= np.finfo(x.dtype.as_numpy_dtype).tiny
    return tf.stop_gradient(tf.where(normal, largest, tf.ones_like(largest)))


def coefficients(plan: Plan, design: Design, weights: Weights, x: tf.Tensor) -> list[tf.Tensor]:
    """Coefficients of signals (batch, *size) in the order of the design: of `design.rows`.

    Returns:
        If the plan is stacked, one tensor (batch, paths, *outputs); else one a group of paths.
    """
    # Moduli square their input: signals of unit size neither overflow nor vanish in doing so.
    size = _size(x, weights.products)
    u = extend((x / size)[:, None], design.padding)
    outputs = [average(u, design.average, weights)] if design.average else []
    x_hat = spectrum(u, design.lines, weights)
    working_set = _EAGER_WORKING_SET if tf.executing_eagerly() else _WORKING_SET
    for branch in design.branches:
        run = functools.partial(_run, branch, weights=weights, stacked=plan.stacked)
        if weights.products:  # nor do these runtimes have loops
            outputs += run(_after(x_hat, outputs))
            continue
        outputs += _in_chunks(
            run,
            _after(x_hat, outputs),
            2 ** int(math.log2(max(1, working_set // branch.samples))),  # divides most batches
            1 if plan.stacked else len(branch.rows),
        )
    gain = tf.concat([power(tf.reshape(size, (-1, 1)), q) for q in plan.degrees], 1)
    gains = [tf.reshape(gain, (-1, *[1] * (len(y.shape) - 2), gain.shape[1])) for y in outputs]
    outputs = [y * gain for y, gain in zip(outputs, gains, strict=True)]
    return [tf.concat(outputs, 1)] if plan.stacked else outputs


def in_order(
    plan: Plan, rows: Sequence[tuple[int, ...]], outputs: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """Coefficients in the order of the plan: one tensor if it is stacked, else one a path."""
    order = np.argsort(np.concatenate(rows))
    if not plan.stacked:
        paths = [path for group in outputs for path in tf.unstack(group, axis=1)]
        return [paths[i] for i in order]
    y = tf.concat(outputs, 1)
    return [y if (np.diff(order) == 1).all() else tf.gather(y, order, axis=1)]


@tf.autograph.experimental.do_not_convert
def scatter(plan: Plan, design: Design, weights: Weights, x: tf.Tensor) -> list[tf.Tensor]:
    """Scattering coefficients of signals (batch, *size).

    Returns:
        If the plan is stacked, one tensor (batch, paths, *outputs); else one a path.
    """
    return in_order(plan, design.rows, coefficients(plan, design, weights, x))

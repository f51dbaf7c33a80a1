"""The cascade: run the branches of a plan, two at a time.

A branch filters the input by a group of wavelets, and their moduli by all that follow these; its
signals are dropped before the next branch but one begins. Control dependencies tell the graph so,
which would otherwise compute all branches at once and hold them all in memory.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_scattering._joint import pictures
from keras_scattering._parallel import PARALLEL
from keras_scattering._spectral import (
    Spectrum,
    average,
    averages,
    complete,
    extend,
    power,
    respond,
    spectrum,
)
from keras_scattering._weights import Weights
from keras_scattering.plans.plan import Branch, Design, Plan, Stack


def _after(x: Spectrum, done: Sequence[Any], weights: Weights) -> Spectrum:
    """The same spectrum, not to be read before the last but one of what is given is done."""
    # XLA has an order of its own.
    if len(done) < PARALLEL or tf.executing_eagerly() or weights.xla:
        return x
    with tf.control_dependencies([done[-PARALLEL]]):
        return Spectrum(tf.identity(x.planes), x.lines)


def _run(branch: Branch, x: Spectrum, weights: Weights) -> list[tf.Tensor]:
    """The averages (b, paths, ...) of the nodes of a branch, not yet complete."""
    spectra = {0: x}
    outputs: list[tf.Tensor] = []
    for i, node in enumerate(branch.nodes, start=1):
        sources = [(_after(spectra[s], outputs, weights), bank) for s, bank in node.sources]
        if isinstance(node, Stack):
            outputs += pictures(sources, node, weights)
        elif node.lines:
            u = respond(sources, weights)
            spectra[i] = spectrum(u, node.lines, weights)
            if node.average:
                outputs.append(average(u, node.average, weights))
        elif node.average:
            outputs.append(averages(sources, node.average, weights))
    return outputs


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


def _scaled(y: tf.Tensor, size: tf.Tensor, degrees: Sequence[float]) -> tf.Tensor:
    """Coefficients of signals of a size, from those of signals of unit size."""
    gain = tf.concat([power(tf.reshape(size, (-1, 1)), q) for q in degrees], 1)
    return y * tf.reshape(gain, (-1, *[1] * (len(y.shape) - 2), gain.shape[1]))


def coefficients(plan: Plan, design: Design, weights: Weights, x: tf.Tensor) -> list[tf.Tensor]:
    """Scattering coefficients of signals (batch, *size).

    Returns:
        If the plan is stacked, one tensor (batch, paths, *outputs) in its order; else one a group
        of paths, as the design makes them.
    """
    # Moduli square their input: signals of unit size neither overflow nor vanish in doing so.
    size = _size(x, weights.products)
    u = extend((x / size)[:, None], design.padding)
    rule = design.branches[0].average  # of all nodes; stacks complete theirs
    outputs: list[tf.Tensor] = []
    if design.average:
        y = average(u, design.average, weights)
        outputs.append(y if rule else complete(y, design.average))
    lines = spectrum(u, design.lines, weights)
    done: list[Any] = []
    for branch in design.branches:
        made = _run(branch, _after(lines, done, weights), weights)
        outputs += made
        done.append(tf.group(*made))
    if plan.stacked:
        y = complete(tf.concat(outputs, 1), rule)
        order = np.argsort(np.concatenate(design.rows))
        outputs = [y if (np.diff(order) == 1).all() else tf.gather(y, order, axis=1)]
    return [_scaled(y, size, plan.degrees) for y in outputs]


def separate(design: Design, groups: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Coefficients in the plan's order, one tensor a path, of those of groups of paths."""
    paths = [path for group in groups for path in tf.unstack(group, axis=1)]
    return [paths[i] for i in np.argsort(np.concatenate(design.rows))]

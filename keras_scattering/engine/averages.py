"""Averages of signals (batch, paths, *size), by the rules of a plan."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from keras_scattering.engine.axes import multiply_last, sizes, take, take_run
from keras_scattering.plans.averages import Average, LowPass, OfMagnitude, Powers


def power(u: tf.Tensor, exponent: float) -> tf.Tensor:
    """u**exponent, by a faster operation than the general power where there is one."""
    special = {0.5: tf.sqrt, 1.0: tf.identity, 2.0: tf.square}
    return special[exponent](u) if exponent in special else tf.pow(u, exponent)


def sums_of_powers(u: tf.Tensor, rule: Powers) -> tf.Tensor:
    """Sums over the grid of each power: (batch, paths, powers)."""
    axes = list(range(2, len(u.shape)))
    sums = [tf.reduce_sum(power(u, q), axes) * rule.gain**q for q in rule.exponents]
    return tf.stack(sums, axis=-1)


def variance(u: tf.Tensor, centred: bool) -> tf.Tensor:
    """Variances over the grid, or means of squares: (batch, paths)."""
    axes = list(range(2, len(u.shape)))
    return tf.reduce_mean(tf.square(u - tf.reduce_mean(u, axes, True) if centred else u), axes)


def _rows_lowpass(u: tf.Tensor, rule: LowPass, matrix: tf.Tensor) -> tf.Tensor:
    """The last axis times a matrix, frame by frame if the rule has frames."""
    rows = (rule.frames,) if rule.frames > 1 else u.shape[2:-1]
    y = tf.matmul(tf.reshape(u, (-1, matrix.shape[0])), matrix)
    return tf.reshape(y, (-1, u.shape[1], *rows, matrix.shape[1]))


def matrix_lowpass(u: tf.Tensor, rule: LowPass, arrays: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """S = A^T u B in the plane, u B on a line; `complete` adds up the frames' contributions."""
    *first, last = (arrays[name] for name in rule.matrices)
    y = _rows_lowpass(u, rule, last)
    for axis, matrix in enumerate(first, start=2):
        # Move the axis to the front and back, for one product of two matrices, from the left.
        y = _move_axis(y, axis, 0)
        others = y.shape[1:]
        y = tf.matmul(matrix, tf.reshape(y, (matrix.shape[0], -1)), transpose_a=True)
        y = _move_axis(tf.reshape(y, (matrix.shape[1], -1, *others[1:])), 0, axis)
    return y


def batch_first_lowpass(u: tf.Tensor, rule: LowPass, arrays: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """`matrix_lowpass` with the batch always in front, where LiteRT needs its unknown size."""
    *first, last = (arrays[name] for name in rule.matrices)
    y = _rows_lowpass(u, rule, last)
    for axis, matrix in enumerate(first, start=2):
        y = _move_axis(multiply_last(_move_axis(y, axis, -1), matrix), -1, axis)
    return y


def _move_axis(y: tf.Tensor, source: int, target: int) -> tf.Tensor:
    """Move one axis of a tensor; the others keep their order."""
    axes = np.arange(len(y.shape))
    return tf.transpose(y, np.insert(np.delete(axes, source), target % len(axes), axes[source]))


def complete(y: tf.Tensor, rule: Average | None) -> tf.Tensor:
    """Add up the contributions of each frame to its neighbours, for many paths at once.

    The sums do not depend on the matrices, so they wait until all paths stand side by side. Then
    one small operation takes the place of one per node.
    """
    match rule:
        case OfMagnitude(rule=other):
            return complete(y, other)
        case LowPass(frames=frames) if frames > 1:
            before, own, after = tf.split(y, 3, axis=-1)
            ring = np.arange(frames)
            before, after = take(before, -2, np.roll(ring, -1)), take(after, -2, np.roll(ring, 1))
            total = tf.reshape(before + own + after, (-1, y.shape[1], frames * sizes(own)[-1]))
            return take_run(total, -1, slice(*rule.keep, 1))
    return y

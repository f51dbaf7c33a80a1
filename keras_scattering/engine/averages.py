"""Averages of signals (batch, paths, *size), as a plan's rules say."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from keras_scattering.engine.axes import multiply_last, sizes, take, take_run
from keras_scattering.plans.averages import Average, LowPass, Powers

Arrays = Mapping[str, tf.Tensor]


def power(u: tf.Tensor, exponent: float) -> tf.Tensor:
    """u**exponent, without the general power where there is a shorter way."""
    special = {0.5: tf.sqrt, 1.0: tf.identity, 2.0: tf.square}
    return special[exponent](u) if exponent in special else tf.pow(u, exponent)


def sums_of_powers(u: tf.Tensor, rule: Powers) -> tf.Tensor:
    """Sums over the grid of each power: (batch, paths, powers)."""
    axes = list(range(2, len(u.shape)))
    sums = [tf.reduce_sum(power(u, q), axes) * rule.gain**q for q in rule.exponents]
    return tf.stack(sums, axis=-1)


def _rows_lowpass(u: tf.Tensor, rule: LowPass, matrix: tf.Tensor) -> tf.Tensor:
    """The last axis times a matrix, frame by frame if the rule has frames."""
    rows = (rule.blocks,) if rule.blocks > 1 else u.shape[2:-1]
    y = tf.matmul(tf.reshape(u, (-1, matrix.shape[0])), matrix)
    return tf.reshape(y, (-1, u.shape[1], *rows, matrix.shape[1]))


def matrix_lowpass(u: tf.Tensor, rule: LowPass, arrays: Arrays) -> tf.Tensor:
    """S = A^T u B in the plane, u B on a line; `complete` adds what frames share."""
    *first, last = (arrays[name] for name in rule.matrices)
    y = _rows_lowpass(u, rule, last)
    for axis, matrix in enumerate(first, start=2):
        # To the front and back: one product of two matrices, from the left.
        y = _moved(y, axis, 0)
        others = y.shape[1:]
        y = tf.matmul(matrix, tf.reshape(y, (matrix.shape[0], -1)), transpose_a=True)
        y = _moved(tf.reshape(y, (matrix.shape[1], -1, *others[1:])), 0, axis)
    return y


def batch_first_lowpass(u: tf.Tensor, rule: LowPass, arrays: Arrays) -> tf.Tensor:
    """The same with the batch in front throughout: LiteRT takes its unknown size nowhere else."""
    *first, last = (arrays[name] for name in rule.matrices)
    y = _rows_lowpass(u, rule, last)
    for axis, matrix in enumerate(first, start=2):
        y = _moved(multiply_last(_moved(y, axis, -1), matrix), -1, axis)
    return y


def _moved(y: tf.Tensor, source: int, target: int) -> tf.Tensor:
    """A tensor with one axis moved, and the others in their order."""
    axes = np.arange(len(y.shape))
    return tf.transpose(y, np.insert(np.delete(axes, source), target % len(axes), axes[source]))


def complete(y: tf.Tensor, rule: Average | None) -> tf.Tensor:
    """Add up what frames give to each other, for averages of many paths at once.

    The sums are the same whatever the matrices were, so they wait until all paths stand side by
    side: one small operation instead of one per node.
    """
    match rule:
        case LowPass(blocks=blocks) if blocks > 1:
            before, own, after = tf.split(y, 3, axis=-1)
            ring = np.arange(blocks)
            before, after = take(before, -2, np.roll(ring, -1)), take(after, -2, np.roll(ring, 1))
            total = tf.reshape(before + own + after, (-1, y.shape[1], blocks * sizes(own)[-1]))
            return take_run(total, -1, slice(*rule.keep, 1))
    return y

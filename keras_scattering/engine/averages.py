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
    return tf.stack([tf.reduce_sum(power(u, q), axes) for q in rule.exponents], axis=-1)


def _rows_lowpass(u: tf.Tensor, rule: LowPass, matrix: tf.Tensor) -> tf.Tensor:
    """The last axis times a matrix, frame by frame if the rule has frames."""
    rows = (rule.blocks,) if rule.blocks > 1 else u.shape[2:-1]
    y = tf.matmul(tf.reshape(u, (-1, matrix.shape[0])), matrix)
    return tf.reshape(y, (-1, u.shape[1], *rows, matrix.shape[1]))


def matrix_lowpass(u: tf.Tensor, rule: LowPass, arrays: Arrays) -> tf.Tensor:
    """S = A^T u B in the plane, u B on a line; `complete` adds what frames share."""
    *first, last = (arrays[name] for name in rule.matrices)
    y = _rows_lowpass(u, rule, last)
    if not first:
        return y
    (matrix,) = first
    y = tf.reshape(tf.transpose(y, (2, 0, 1, 3)), (matrix.shape[0], -1))
    y = tf.matmul(matrix, y, transpose_a=True)
    y = tf.reshape(y, (matrix.shape[1], -1, u.shape[1], last.shape[1]))
    return tf.transpose(y, (1, 2, 0, 3))


def batch_first_lowpass(u: tf.Tensor, rule: LowPass, arrays: Arrays) -> tf.Tensor:
    """The same with the batch in front throughout: LiteRT takes its unknown size nowhere else."""
    *first, last = (arrays[name] for name in rule.matrices)
    y = _rows_lowpass(u, rule, last)
    for matrix in first:
        y = tf.linalg.matrix_transpose(multiply_last(tf.linalg.matrix_transpose(y), matrix))
    return y


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

"""Operations on the axes of tensors: cutting, joining, padding, and products with matrices."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_scattering.plans.padding import Padding, runs


def sizes(x: tf.Tensor) -> tuple[int, ...]:
    """Lengths of a tensor's axes for `tf.reshape`: -1 for a batch of unknown size."""
    return tuple(-1 if n is None else n for n in x.shape)


def cut(x: tf.Tensor, start: Sequence[int], size: Sequence[int]) -> tf.Tensor:
    """A box of a tensor's last axes."""
    if tuple(x.shape[-len(size) :]) == tuple(size):
        return x
    other = len(x.shape) - len(size)
    return tf.slice(x, [0] * other + [*start], [-1] * other + [*size])


def join(pieces: Sequence[tf.Tensor], axis: int) -> tf.Tensor:
    """Concatenate pieces along an axis; a single piece stays as it is."""
    return pieces[0] if len(pieces) == 1 else tf.concat(pieces, axis)


def take_run(x: tf.Tensor, axis: int, run: slice) -> tf.Tensor:
    """A run of samples along one of the last axes (`axis` is negative), maybe backwards."""
    first, last = sorted((run.start, (run.stop if run.stop is not None else -1) - run.step))
    whole = sizes(x)[axis + 1 :] if axis < -1 else ()
    x = cut(x, [first, *[0] * len(whole)], [last - first + 1, *whole])
    return x if run.step > 0 else tf.reverse(x, [axis])  # a negative stride is far slower


def take(x: tf.Tensor, axis: int, index: np.ndarray) -> tf.Tensor:
    """Samples along one of the last axes, by constant indices that form few runs."""
    return join([take_run(x, axis, run) for run in runs(index)], axis)


def extend(x: tf.Tensor, padding: Sequence[Padding]) -> tf.Tensor:
    """Pad the last axes of signals (..., *size)."""
    for axis, rule in enumerate(padding, start=-len(padding)):
        x = join([take_run(x, axis, run) for run in rule.runs], axis)
    if any(any(rule.zeros) for rule in padding):
        batch_axes = len(x.shape) - len(padding)
        x = tf.pad(x, [(0, 0)] * batch_axes + [rule.zeros for rule in padding])
    return x


def multiply_last(u: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Multiply the last axis of a tensor by a matrix, as one product of two matrices.

    It avoids broadcasting, such as (2, 1, 40, 40) times (40, 8): there the float32 oneDNN kernel of
    TensorFlow 2.21 reads and writes out of bounds.
    """
    inputs, outputs = matrix.shape
    y = tf.matmul(tf.reshape(u, (-1, inputs)), matrix)
    return tf.reshape(y, (-1, *u.shape[1:-1], outputs))

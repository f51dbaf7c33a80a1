"""Solid harmonics on tensors: their responses to real signals, and the norm over the harmonics.

Signals have few samples along an axis, and harmonics few lines: transforms are products with real
matrices, which leave out the lines that are zero.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_scattering._folding import cut
from keras_scattering._gradient import custom_gradient
from keras_scattering._weights import Weights
from keras_scattering.plans.plan import Box, HarmonicBank, waves


def _multiply(x: tf.Tensor, matrices: Sequence[tf.Tensor]) -> tf.Tensor:
    """Multiply axes: from (F, b, *in), with matrices (F, out, in), to (F, *out, b).

    A product takes the last axis and puts what it makes of it first, so that none is transposed.
    """
    count, *rest = x.shape
    for matrix in reversed(matrices):
        x = tf.matmul(matrix, tf.reshape(x, (count, -1, rest.pop())), transpose_b=True)
        rest.insert(0, matrix.shape[1])
    return tf.reshape(x, (count, *rest[:-1], -1))


def _first(x: tf.Tensor) -> tf.Tensor:
    """The last axis as the first."""
    last = len(x.shape) - 1
    return tf.transpose(x, (last, *range(last)))


def coefficients(u: tf.Tensor, lines: Box, weights: Weights) -> tf.Tensor:
    """sum_t u[t] cas(2 pi k t / n) ... of signals (b, *n), a cas an axis: (b, *lines)."""
    matrices = [
        tf.linalg.matrix_transpose(weights[waves(n, span, (False,))])
        for n, span in zip(u.shape[1:], lines, strict=True)
    ]
    return _first(_multiply(u[None], matrices)[0])


def _responses(
    x: tf.Tensor,
    filters: str,
    odd: Sequence[tuple[bool, ...]],
    lines: Sequence[tuple[int, int]],
    size: Sequence[int],
    weights: Weights,
) -> tf.Tensor:
    """Signals (F, *size, b) of coefficients (b, *lines), filtered."""
    matrices = [
        weights[waves(n, span, back)] for n, span, back in zip(size, lines, odd, strict=True)
    ]
    return _multiply(x * tf.expand_dims(weights[filters], 1), matrices)


def _faces(x: tf.Tensor, bank: HarmonicBank, weights: Weights) -> tf.Tensor:
    """The imaginary part of responses (F, *size, b) to coefficients (b, *lines)."""
    total = []
    for axis, filters, odd in bank.faces:
        others = [a for a in range(len(bank.size)) if a != axis]
        plane = tf.gather(x, 0, axis=1 + axis)
        lines, size = [bank.lines[a] for a in others], [bank.size[a] for a in others]
        wave = _responses(plane, filters, odd, lines, size, weights)
        n = bank.size[axis]
        signs = np.where(np.arange(n) % 2, -1, 1).reshape(-1, *[1] * (len(bank.size) - axis))
        total.append(tf.expand_dims(wave, 1 + axis) * tf.constant(signs, wave.dtype))
    return sum(total[1:], total[0])


@custom_gradient
def _root(energy: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Square root, with gradient zero at zero."""
    root = tf.sqrt(energy)
    return root, lambda upstream: tf.math.divide_no_nan(upstream, 2 * root)


def norm(x: tf.Tensor, lines: Box, bank: HarmonicBank, weights: Weights) -> tf.Tensor:
    """sqrt(sum_m |x * psi_m|**2) (b, *size) from coefficients (b, *lines)."""
    first = [own - start for (own, _), (start, _) in zip(bank.lines, lines, strict=True)]
    x = cut(x, first, [stop - start for start, stop in bank.lines])
    y = _responses(x, bank.filters, bank.odd, bank.lines, bank.size, weights)
    if bank.faces and bank.coherent:
        y += _faces(x, bank, weights)
    energy = tf.reduce_sum(tf.square(y), 0)
    if bank.faces and not bank.coherent:
        energy += tf.reduce_sum(tf.square(_faces(x, bank, weights)), 0)
    return _first(_root(energy))

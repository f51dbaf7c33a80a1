"""Fourier transforms of planes as products with real matrices, for runtimes without others.

Along an axis of n samples the transform is a product with a matrix of cosines and sines. If readers
need only some lines, the matrix has only those columns. A long signal becomes n1 rows of n2
samples. It takes two short transforms, with a rotation of the complex plane between them.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_scattering.engine.axes import sizes
from keras_scattering.plans.banks import Box

# Shorter signals stay whole, since their products cost less than the passes of the rotation.
_LONG = 128


class _Axis(NamedTuple):
    """exp(sign 2 pi i r c / n), for indices r (rows) and c (columns) of samples or lines."""

    n: int
    rows: range
    columns: range
    sign: int


@functools.lru_cache(maxsize=256)
def _rotations(axis: _Axis) -> np.ndarray:
    n, rows, columns, sign = axis
    angles = np.outer(rows, columns) % n  # reduced first, since rounding grows with r c
    return np.exp(sign * 2j * np.pi / n * angles)


def _multiply_complex(z: tf.Tensor, axis: _Axis) -> tf.Tensor:
    """Multiply the last axes (planes, rows) of z by a complex matrix, as a real one."""
    turns = _rotations(axis)
    cosine, sine = np.real(turns), np.imag(turns)
    matrix = np.block([[cosine, sine], [-sine, cosine]])[: math.prod(sizes(z)[2:])]
    y = tf.matmul(tf.reshape(z, (-1, matrix.shape[0])), tf.constant(matrix, z.dtype))
    return tf.reshape(y, (-1, z.shape[1], 2, cosine.shape[1]))


def _rotate(z: tf.Tensor, axis: _Axis) -> tf.Tensor:
    """Multiply each number of z (batch, rows, 2, columns), complex in its planes, by a rotation."""
    turns = _rotations(axis)[:, None]
    cosine, sine = (tf.constant(plane, z.dtype) for plane in (np.real(turns), np.imag(turns)))
    real, imag = z[:, :, :1], z[:, :, 1:]
    return tf.concat([real * cosine - imag * sine, real * sine + imag * cosine], 2)


def _transform(x: tf.Tensor, axes: Sequence[_Axis], rotation: _Axis | None = None) -> tf.Tensor:
    """Multiply each axis of x (1 or 2 planes, batch, *rows), in turn, to (2, batch, *columns).

    Each step multiplies the last axis together with the planes before it. Then it moves the next
    axis from the front to the end. After the last step the axes are in order again. A rotation may
    follow the first step.
    """
    rank = len(axes)
    size = sizes(x)[2:]
    z = tf.reshape(x, (x.shape[0], -1, size[0], math.prod(size[1:])))
    z = tf.transpose(z, (1, 3, 0, 2))
    for step, axis in enumerate(axes):
        z = _multiply_complex(z, axis)
        if step < rank - 1:
            following = size[step + 1]
            z = tf.reshape(z, (-1, following, sizes(z)[1] // following, *z.shape[2:]))
            z = tf.transpose(z, (0, 2, 4, 3, 1))
            z = tf.reshape(z, (-1, math.prod(sizes(z)[1:3]), *z.shape[3:]))
        if step == 0 and rotation:
            z = _rotate(z, rotation)
    z = tf.transpose(z, (2, 0, 1, 3))
    return tf.reshape(z, (2, -1, *(len(axis.columns) for axis in axes)))


def _line(x: tf.Tensor, columns: range, sign: int) -> tf.Tensor:
    """Some lines (2, batch, lines) of the transform of signals x (1 or 2 planes, batch, n)."""
    n = sizes(x)[2]
    n1 = max(d for d in range(1, math.isqrt(n) + 1) if n % d == 0) if n >= _LONG else 1
    if n1 == 1:
        return _transform(x, [_Axis(n, range(n), columns, sign)])
    # The phase of sample n2 r1 + r2 at line c1 + n1 c2 is r1 c1 / n1 + r2 c1 / n + r2 c2 / n2.
    n2 = n // n1
    first, last = columns.start // n1, -(-columns.stop // n1)
    axes = [
        _Axis(n1, range(n1), range(n1), sign),
        _Axis(n2, range(n2), range(first, last), sign),
    ]
    grid = tf.reshape(x, (x.shape[0], -1, n1, n2))
    y = _transform(grid, axes, _Axis(n, range(n1), range(n2), sign))
    y = tf.reshape(tf.transpose(y, (0, 1, 3, 2)), (2, -1, n1 * (last - first)))
    kept = slice(columns.start - n1 * first, columns.stop - n1 * first)
    return y[..., kept]  # type: ignore[arg-type]  # the stubs lack `...`


def _complex(x: tf.Tensor, columns: Sequence[range], sign: int) -> tf.Tensor:
    """Some lines or samples (columns) of the transform of planes x (1 or 2, ..., *size)."""
    size = sizes(x)[-len(columns) :]
    others = x.shape[2 : -len(columns)]
    x = tf.reshape(x, (x.shape[0], -1, *size))
    if len(columns) == 1:
        y = _line(x, columns[0], sign)
    else:
        axes = [_Axis(n, range(n), some, sign) for n, some in zip(size, columns, strict=True)]
        y = _transform(x, axes)
    return tf.reshape(y, (2, -1, *others, *y.shape[2:]))


def spectral_lines(u: tf.Tensor, box: Box) -> tf.Tensor:
    """Planes (2, ..., *box) of the spectra of real signals on a box of lines."""
    return _complex(u[None], [range(*span) for span in box], -1)


def inverse(planes: tf.Tensor, rank: int) -> tuple[tf.Tensor, tf.Tensor]:
    """y[t] = sum_k x[k] exp(2 pi i k t / n) along the last `rank` axes."""
    y = _complex(planes, [range(n) for n in sizes(planes)[-rank:]], 1)
    return y[0], y[1]

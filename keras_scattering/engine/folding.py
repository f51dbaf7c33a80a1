"""Products of spectra with filters, and the sums over blocks that sub-sample them.

Line by line it is a product of matrices, y[f] = sum_b x[b] psi[b, f] over blocks b for filters f,
and the adjoint is one with the transposed matrix.

On a CPU, each product and each sum of an ordinary graph is a pass over memory. A depthwise
convolution is all of them in one: lines are its channels, and what is summed over is the height of
its kernel. XLA would make more of it than it is, and fuses products and sums by itself.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_scattering.engine.axes import cut, join, sizes
from keras_scattering.engine.fourier import Planes
from keras_scattering.runtime.gradient import custom_gradient, differentiated


class PlacedWindow(NamedTuple):
    """A window of a plan among the lines of a spectrum."""

    filters: tf.Tensor  # (F, blocks, *size)
    start: tuple[int, ...]
    blocks: tuple[int, ...]  # of each axis
    imaginary: tf.Tensor | None = None  # part of the filters, likewise

    def starts(self, size: Sequence[int]) -> list[list[int]]:
        """Where each block of lines begins."""
        steps = np.ndindex(*self.blocks)
        return [np.add(self.start, np.multiply(step, size)).tolist() for step in steps]


def _total(terms: Sequence[tf.Tensor]) -> tf.Tensor:
    return terms[0] if len(terms) == 1 else tf.add_n(terms)


def _place(blocks: Sequence[tf.Tensor], window: PlacedWindow, lines: tuple[int, ...]) -> tf.Tensor:
    """The adjoint of cutting the blocks (b, p, *size) of a window out of so many lines."""
    rank = len(lines)
    for axis in reversed(range(rank)):
        c = window.blocks[axis]
        blocks = [join(blocks[i : i + c], axis - rank) for i in range(0, len(blocks), c)]
    (box,) = blocks
    size = sizes(box)[2:]
    if size == lines:
        return box
    rest = [(o, n - o - m) for o, n, m in zip(window.start, lines, size, strict=True)]
    return tf.pad(box, [(0, 0), (0, 0), *rest])


def fold_by_products(
    planes: tf.Tensor, windows: Sequence[PlacedWindow], size: tuple[int, ...]
) -> tf.Tensor:
    """Filtered spectra (2, b, p, F, *size) of spectra (2, b, p, *lines), by products and sums."""
    outputs = []
    for window in windows:
        boxes = [tf.expand_dims(cut(planes, start, size), 3) for start in window.starts(size)]
        y = _multiply(boxes, window.filters)
        if window.imaginary is not None:
            real, imag = tf.unstack(_multiply(boxes, window.imaginary))
            y += tf.stack([-imag, real])  # times i
        outputs.append(y)
    return join(outputs, 3)


def _multiply(boxes: Sequence[tf.Tensor], filters: tf.Tensor) -> tf.Tensor:
    """sum_b x[b] psi[f, b], line by line."""
    return _total([x * psi for x, psi in zip(boxes, tf.unstack(filters, axis=1), strict=True)])


def _convolve(rows: tf.Tensor, kernels: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """sum_k x[s, k] a[k], line by line, of x (s, K, 1, lines) for a few a (K, 1, lines, 1)."""
    return [tf.nn.depthwise_conv2d(rows, a, [1, 1, 1, 1], "VALID") for a in kernels]


def _fold_by_convolution(
    planes: tf.Tensor, windows: Sequence[PlacedWindow], size: tuple[int, ...]
) -> tf.Tensor:
    n = math.prod(size)
    outputs = []
    for window in windows:
        starts = window.starts(size)
        rows = join([tf.reshape(cut(planes, o, size), (-1, 1, 1, n)) for o in starts], 1)
        if len(starts) == 1:  # there is nothing to sum
            outputs.append(rows * tf.reshape(window.filters, (-1, 1, n)))
        else:
            psi = tf.reshape(window.filters, (-1, len(starts), 1, n, 1))
            outputs += _convolve(rows, tf.unstack(psi))
    y = join(outputs, 1)
    return tf.reshape(y, (2, -1, planes.shape[2], y.shape[1], *size))


def _unfold_by_convolution(
    slope: tf.Tensor, windows: Sequence[PlacedWindow], lines: tuple[int, ...]
) -> tf.Tensor:
    paths, count, *size = sizes(slope)[1:]
    n = math.prod(size)
    rows = tf.reshape(slope, (-1, count, 1, n))
    parts = tf.split(rows, [sizes(window.filters)[0] for window in windows], axis=1)
    terms = []
    for part, window in zip(parts, windows, strict=True):
        psi = tf.reshape(window.filters, (*window.filters.shape[:2], 1, n, 1))
        blocks = _convolve(part, tf.unstack(psi, axis=1))
        blocks = [tf.reshape(block, (-1, paths, *size)) for block in blocks]
        terms.append(_place(blocks, window, lines))
    return _total(terms)


def fold(planes: tf.Tensor, windows: Sequence[PlacedWindow], size: tuple[int, ...]) -> Planes:
    """Filtered spectra, as two planes (b, p, F, *size), by convolutions.

    Its gradient has the planes apart as well: joining them would be a pass over all of them.
    Complex filters, and gradients with respect to filters, go by products.
    """
    filters = [window.filters for window in windows]
    if any(window.imaginary is not None for window in windows) or differentiated(filters):
        real, imag = tf.unstack(fold_by_products(planes, windows, size))
        return real, imag
    lines = sizes(planes)[3:]

    @custom_gradient
    def transform(planes: tf.Tensor) -> tuple[Planes, Callable]:
        real, imag = tf.unstack(_fold_by_convolution(planes, windows, size))
        return (real, imag), lambda *slopes: _unfold(slopes, windows, lines)

    return transform(planes)


def _unfold(slopes: Planes, windows: Sequence[PlacedWindow], lines: tuple[int, ...]) -> tf.Tensor:
    """The adjoint of `fold`: planes (2, b, p, *lines)."""
    paths, _, *size = sizes(slopes[0])[1:]

    def gradient(planes: tf.Tensor) -> Planes:
        # Of a gradient of a gradient TensorFlow may not know the shape.
        return fold(tf.reshape(planes, (2, -1, paths, *lines)), windows, tuple(size))

    @custom_gradient
    def transform(*slopes: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        planes = [_unfold_by_convolution(slope, windows, lines) for slope in slopes]
        return tf.stack(planes), gradient

    return transform(*slopes)

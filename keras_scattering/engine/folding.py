"""Products of spectra with filters, and the sums over blocks that sub-sample them.

At each line the engine computes a product of matrices, y[f] = sum_b x[b] psi[b, f] over blocks b
for filters f. The adjoint is a product with the transposed matrix.

On a CPU, each product and each sum of an ordinary graph is a pass over memory. A depthwise
convolution does all of them in one pass: its channels are the lines, and the height of its kernel
is the number of blocks. XLA is slow with such convolutions, and fuses products and sums by itself.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_scattering.engine.axes import cut, join, sizes, take
from keras_scattering.engine.fourier import Planes
from keras_scattering.runtime.gradient import custom_gradient, differentiated


class PlacedWindow(NamedTuple):
    """A window of a plan among the lines of a spectrum."""

    filters: tf.Tensor  # real parts (F, blocks, *size)
    start: tuple[int, ...]
    blocks: tuple[int, ...]  # number of blocks along each axis
    imaginary: tf.Tensor | None = None  # imaginary parts (F, blocks, *size)

    def starts(self, size: Sequence[int]) -> list[list[int]]:
        """Position of the first line of each block."""
        steps = np.ndindex(*self.blocks)
        return [np.add(self.start, np.multiply(step, size)).tolist() for step in steps]


def _total(terms: Sequence[tf.Tensor]) -> tf.Tensor:
    return terms[0] if len(terms) == 1 else tf.add_n(terms)


def _place(blocks: Sequence[tf.Tensor], window: PlacedWindow, lines: tuple[int, ...]) -> tf.Tensor:
    """Place the blocks (b, p, *size) of a window among lines, the adjoint of cutting them out."""
    rank = len(lines)
    for axis in reversed(range(rank)):
        count = window.blocks[axis]
        blocks = [join(blocks[i : i + count], axis - rank) for i in range(0, len(blocks), count)]
    (box,) = blocks
    size = sizes(box)[2:]
    if size == lines:
        return box
    zeros = [
        (start, all_lines - start - own)
        for start, all_lines, own in zip(window.start, lines, size, strict=True)
    ]
    return tf.pad(box, [(0, 0), (0, 0), *zeros])


def fold_by_products(
    planes: tf.Tensor, windows: Sequence[PlacedWindow], size: tuple[int, ...]
) -> tf.Tensor:
    """Filtered spectra (2, b, p, F, *size) of spectra (2, b, p, *lines), by products and sums."""
    outputs = []
    for window in windows:
        boxes = [tf.expand_dims(cut(planes, start, size), 3) for start in window.starts(size)]
        y = _sum_of_products(boxes, tf.unstack(window.filters, axis=1))
        if window.imaginary is not None:
            imaginary = tf.unstack(window.imaginary, axis=1)
            real, imag = tf.unstack(_sum_of_products(boxes, imaginary))
            y += tf.stack([-imag, real])  # times i
        outputs.append(y)
    return join(outputs, 3)


def fold_by_pairs(
    planes: tf.Tensor, window: PlacedWindow, chosen: np.ndarray, size: tuple[int, ...]
) -> tf.Tensor:
    """Filtered spectra (2, b, turns * p, 1, *size) of spectra (2, b, p, *lines).

    Args:
        planes: The spectra.
        window: The filters.
        chosen: Which filter acts on each signal, (turns, p).
        size: Of the result.
    """
    filters = take(window.filters, -len(size) - 2, chosen.ravel())
    filters = tf.reshape(filters, (*chosen.shape, *filters.shape[1:]))
    y = _sum_of_products(
        [tf.expand_dims(cut(planes, start, size), 2) for start in window.starts(size)],
        tf.unstack(filters, axis=2),
    )
    return tf.reshape(y, (2, -1, chosen.size, 1, *size))


def _sum_of_products(boxes: Sequence[tf.Tensor], filters: Sequence[tf.Tensor]) -> tf.Tensor:
    """sum_b x[b] psi[b], line by line."""
    return _total([x * psi for x, psi in zip(boxes, filters, strict=True)])


def _depthwise(x: tf.Tensor, kernels: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """sum_b x[s, b] a[b], line by line, of x (s, blocks, 1, lines), per kernel a.

    The kernels have shape (blocks, 1, lines, 1).
    """
    return [tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "VALID") for kernel in kernels]


def _fold_by_convolution(
    planes: tf.Tensor, windows: Sequence[PlacedWindow], size: tuple[int, ...]
) -> tf.Tensor:
    n = math.prod(size)
    outputs = []
    for window in windows:
        starts = window.starts(size)
        blocks = [tf.reshape(cut(planes, start, size), (-1, 1, 1, n)) for start in starts]
        x = join(blocks, 1)
        if len(starts) == 1:  # one block needs no sum
            outputs.append(x * tf.reshape(window.filters, (-1, 1, n)))
        else:
            psi = tf.reshape(window.filters, (-1, len(starts), 1, n, 1))
            outputs += _depthwise(x, tf.unstack(psi))
    y = join(outputs, 1)
    return tf.reshape(y, (2, -1, planes.shape[2], y.shape[1], *size))


def _unfold_by_convolution(
    slope: tf.Tensor, windows: Sequence[PlacedWindow], lines: tuple[int, ...]
) -> tf.Tensor:
    paths, count, *size = sizes(slope)[1:]
    n = math.prod(size)
    slope = tf.reshape(slope, (-1, count, 1, n))
    slopes = tf.split(slope, [sizes(window.filters)[0] for window in windows], axis=1)
    terms = []
    for own, window in zip(slopes, windows, strict=True):
        psi = tf.reshape(window.filters, (*window.filters.shape[:2], 1, n, 1))
        blocks = _depthwise(own, tf.unstack(psi, axis=1))
        blocks = [tf.reshape(block, (-1, paths, *size)) for block in blocks]
        terms.append(_place(blocks, window, lines))
    return _total(terms)


def fold(planes: tf.Tensor, windows: Sequence[PlacedWindow], size: tuple[int, ...]) -> Planes:
    """Filtered spectra, as two planes (b, p, F, *size), by convolutions.

    The gradient keeps the planes apart too, since joining them would be one more pass over memory.
    Complex filters, and gradients with respect to filters, take products instead.
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
        # TensorFlow may not know the shape of a gradient's gradient.
        return fold(tf.reshape(planes, (2, -1, paths, *lines)), windows, tuple(size))

    @custom_gradient
    def transform(*slopes: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        planes = [_unfold_by_convolution(slope, windows, lines) for slope in slopes]
        return tf.stack(planes), gradient

    return transform(*slopes)

"""Products of spectra with filters, and the sums over blocks that sub-sample them.

Line by line it is a product of matrices, y[f] = sum_b x[b] psi[b, f] over blocks b for filters f,
and the adjoint is one with the transposed matrix.

On a CPU, each product and each sum of an ordinary graph is a pass over memory. A depthwise
convolution is all of them in one: lines are its channels, and what is summed over is the height of
its kernel. XLA would make more of it than it is, and fuses products and sums by itself. So both
ways stand in the graph, and which to go is found out where it runs.
"""

import functools
import math
from collections.abc import Callable, Sequence

import tensorflow as tf

Window = tuple[tf.Tensor, Sequence[Sequence[int]]]
"""Filters (blocks, F, *size), and where in a spectrum each block begins."""

Way = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""y[s, m] = sum_k x[s, k] a[k, m], for each line, of x (s, K, lines) and a (K, M, lines)."""


def cut(x: tf.Tensor, start: Sequence[int], size: Sequence[int]) -> tf.Tensor:
    """A box of the last axes."""
    if tuple(x.shape[-len(size) :]) == tuple(size):
        return x
    other = len(x.shape) - len(size)
    return tf.slice(x, [0] * other + [*start], [-1] * other + [*size])


def join(pieces: Sequence[tf.Tensor], axis: int) -> tf.Tensor:
    """A concatenation, but for a single piece."""
    return pieces[0] if len(pieces) == 1 else tf.concat(pieces, axis)


def _products(x: tf.Tensor, a: tf.Tensor) -> tf.Tensor:
    terms = [x[:, k, None] * row for k, row in enumerate(tf.unstack(a))]
    return terms[0] if len(terms) == 1 else tf.add_n(terms)


def _convolution(x: tf.Tensor, a: tf.Tensor) -> tf.Tensor:
    kernels = [column[:, None, :, None] for column in tf.unstack(a, axis=1)]
    x = x[:, :, None]
    y = [tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "VALID") for kernel in kernels]
    return join(y, 1)[:, :, 0]


def _fold(
    way: Way, planes: tf.Tensor, windows: Sequence[Window], size: tuple[int, ...]
) -> tf.Tensor:
    n = math.prod(size)
    outputs = []
    for filters, starts in windows:
        blocks = [tf.reshape(cut(planes, start, size), (-1, 1, n)) for start in starts]
        outputs.append(way(join(blocks, 1), tf.reshape(filters, (*filters.shape[:2], n))))
    y = join(outputs, 1)
    return tf.reshape(y, (2, -1, planes.shape[2], y.shape[1], *size))


def _unfold(
    way: Way, slope: tf.Tensor, windows: Sequence[Window], lines: tuple[int, ...]
) -> tf.Tensor:
    paths, _, *size = slope.shape[2:]
    n = math.prod(size)
    counts = [filters.shape[1] for filters, _ in windows]
    parts = tf.split(tf.reshape(slope, (-1, sum(counts), n)), counts, axis=1)
    total = []
    for part, (filters, starts) in zip(parts, windows, strict=True):
        a = tf.transpose(tf.reshape(filters, (*filters.shape[:2], n)), (1, 0, 2))
        for block, start in zip(tf.unstack(way(part, a), axis=1), starts, strict=True):
            rest = [(o, N - o - m) for o, N, m in zip(start, lines, size, strict=True)]
            total.append(tf.pad(tf.reshape(block, (2, -1, paths, *size)), [(0, 0)] * 3 + rest))
    return total[0] if len(total) == 1 else tf.add_n(total)


def _on_cpu_or_elsewhere(function: Callable, *arguments) -> tf.Tensor:
    """A function of a way, by the one that is fast where the operation runs."""
    ways = [functools.partial(function, way, *arguments) for way in (_convolution, _products)]
    # XLA takes the last one, whatever it compiles for: to it, no device has a name.
    return tf.switch_case(tf.raw_ops.DeviceIndex(device_names=["CPU"]), ways)


def fold(planes: tf.Tensor, windows: Sequence[Window], size: tuple[int, ...]) -> tf.Tensor:
    """Filtered spectra (2, b, p, F, *size) of spectra (2, b, p, *lines)."""
    lines = tuple(planes.shape[3:])

    @tf.custom_gradient
    def transform(planes: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        y = _on_cpu_or_elsewhere(_fold, planes, windows, size)
        return y, lambda slope: unfold(slope, windows, lines)

    return transform(planes)


def unfold(slope: tf.Tensor, windows: Sequence[Window], lines: tuple[int, ...]) -> tf.Tensor:
    """The adjoint of `fold`, for spectra on so many lines."""
    size = tuple(slope.shape[4:])

    @tf.custom_gradient
    def transform(slope: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        x = _on_cpu_or_elsewhere(_unfold, slope, windows, lines)
        return x, lambda planes: fold(planes, windows, size)

    return transform(slope)


def fold_by_products(
    planes: tf.Tensor, windows: Sequence[Window], size: tuple[int, ...]
) -> tf.Tensor:
    """`fold` by products and sums alone."""
    return _fold(_products, planes, windows, size)

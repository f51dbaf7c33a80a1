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


def cut(x: tf.Tensor, start: Sequence[int], size: Sequence[int]) -> tf.Tensor:
    """A box of the last axes."""
    if tuple(x.shape[-len(size) :]) == tuple(size):
        return x
    other = len(x.shape) - len(size)
    return tf.slice(x, [0] * other + [*start], [-1] * other + [*size])


def join(pieces: Sequence[tf.Tensor], axis: int) -> tf.Tensor:
    """A concatenation, but for a single piece."""
    return pieces[0] if len(pieces) == 1 else tf.concat(pieces, axis)


def _total(terms: Sequence[tf.Tensor]) -> tf.Tensor:
    return terms[0] if len(terms) == 1 else tf.add_n(terms)


def _place(block: tf.Tensor, start: Sequence[int], lines: tuple[int, ...]) -> tf.Tensor:
    """The adjoint of `cut`: a block (2, b, p, *size) among zeros on so many lines."""
    size = block.shape[3:]
    rest = [(o, n - o - m) for o, n, m in zip(start, lines, size, strict=True)]
    return tf.pad(block, [(0, 0)] * 3 + rest)


def fold_by_products(
    planes: tf.Tensor, windows: Sequence[Window], size: tuple[int, ...]
) -> tf.Tensor:
    """Filtered spectra (2, b, p, F, *size) of spectra (2, b, p, *lines), by products and sums."""
    outputs = []
    for filters, starts in windows:
        blocks = zip(starts, tf.unstack(filters), strict=True)
        terms = [tf.expand_dims(cut(planes, start, size), 3) * psi for start, psi in blocks]
        outputs.append(_total(terms))
    return join(outputs, 3)


def _unfold_by_products(
    slope: tf.Tensor, windows: Sequence[Window], lines: tuple[int, ...]
) -> tf.Tensor:
    parts = tf.split(slope, [filters.shape[1] for filters, _ in windows], axis=3)
    terms = []
    for part, (filters, starts) in zip(parts, windows, strict=True):
        blocks = zip(starts, tf.unstack(filters), strict=True)
        terms += [_place(tf.reduce_sum(part * psi, 3), start, lines) for start, psi in blocks]
    return _total(terms)


def _convolve(x: tf.Tensor, a: tf.Tensor) -> tf.Tensor:
    """y[s, m] = sum_k x[s, k] a[k, m], line by line, of x (s, K, lines) and a (K, M, lines)."""
    kernels = [column[:, None, :, None] for column in tf.unstack(a, axis=1)]
    x = x[:, :, None]
    y = [tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "VALID") for kernel in kernels]
    return join(y, 1)[:, :, 0]


def _fold_by_convolution(
    planes: tf.Tensor, windows: Sequence[Window], size: tuple[int, ...]
) -> tf.Tensor:
    n = math.prod(size)
    outputs = []
    for filters, starts in windows:
        blocks = [tf.reshape(cut(planes, start, size), (-1, 1, n)) for start in starts]
        psi = tf.reshape(filters, (*filters.shape[:2], n))
        outputs.append(_convolve(join(blocks, 1), psi))
    y = join(outputs, 1)
    return tf.reshape(y, (2, -1, planes.shape[2], y.shape[1], *size))


def _unfold_by_convolution(
    slope: tf.Tensor, windows: Sequence[Window], lines: tuple[int, ...]
) -> tf.Tensor:
    paths, count, *size = slope.shape[2:]
    n = math.prod(size)
    y = tf.reshape(slope, (-1, count, n))
    parts = tf.split(y, [filters.shape[1] for filters, _ in windows], axis=1)
    terms = []
    for part, (filters, starts) in zip(parts, windows, strict=True):
        psi = tf.transpose(tf.reshape(filters, (*filters.shape[:2], n)), (1, 0, 2))
        blocks = tf.unstack(_convolve(part, psi), axis=1)
        for block, start in zip(blocks, starts, strict=True):
            terms.append(_place(tf.reshape(block, (2, -1, paths, *size)), start, lines))
    return _total(terms)


def _on_cpu_or_elsewhere(on_cpu: Callable, elsewhere: Callable, *arguments) -> tf.Tensor:
    ways = [functools.partial(way, *arguments) for way in (on_cpu, elsewhere)]
    # XLA takes the last one, whatever it compiles for: to it, no device has a name.
    return tf.switch_case(tf.raw_ops.DeviceIndex(device_names=["CPU"]), ways)


def fold(planes: tf.Tensor, windows: Sequence[Window], size: tuple[int, ...]) -> tf.Tensor:
    """`fold_by_products`, in the way that is fast where it runs."""
    if all(len(starts) == 1 for _, starts in windows):  # there is nothing to sum
        return fold_by_products(planes, windows, size)
    lines = tuple(planes.shape[3:])

    @tf.custom_gradient
    def transform(planes: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        y = _on_cpu_or_elsewhere(_fold_by_convolution, fold_by_products, planes, windows, size)
        return y, lambda slope: _unfold(slope, windows, lines)

    return transform(planes)


def _unfold(slope: tf.Tensor, windows: Sequence[Window], lines: tuple[int, ...]) -> tf.Tensor:
    """The adjoint of `fold`, for spectra on so many lines."""
    size = tuple(slope.shape[4:])

    @tf.custom_gradient
    def transform(slope: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        ways = _unfold_by_convolution, _unfold_by_products
        x = _on_cpu_or_elsewhere(*ways, slope, windows, lines)
        return x, lambda planes: fold(planes, windows, size)

    return transform(slope)

"""Products of spectra with filters, and the sums over blocks that sub-sample them.

On a CPU, each product and each sum of an ordinary graph is a pass over memory. A depthwise
convolution is all of them in one: its channels are the lines of a block, and the height of its
kernel counts the blocks. XLA fuses products and sums, and would make more of a convolution than it
is; so would a GPU's library. So both stand in the graph, and where it runs is found out there.
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


def _by_products(planes: tf.Tensor, windows: Sequence[Window], size: tuple[int, ...]) -> tf.Tensor:
    outputs = []
    for filters, starts in windows:
        terms = [
            tf.expand_dims(cut(planes, start, size), 3) * block
            for start, block in zip(starts, tf.unstack(filters), strict=True)
        ]
        outputs.append(terms[0] if len(terms) == 1 else tf.add_n(terms))
    return join(outputs, 3)


def _by_convolution(
    planes: tf.Tensor, windows: Sequence[Window], size: tuple[int, ...]
) -> tf.Tensor:
    n = math.prod(size)
    outputs = []
    for filters, starts in windows:
        blocks = join([tf.reshape(cut(planes, s, size), (-1, 1, 1, n)) for s in starts], 1)
        kernels = [tf.reshape(f, (len(starts), 1, n, 1)) for f in tf.unstack(filters, axis=1)]
        outputs += [tf.nn.depthwise_conv2d(blocks, k, [1, 1, 1, 1], "VALID") for k in kernels]
    return tf.reshape(join(outputs, 1), (2, -1, planes.shape[2], len(outputs), *size))


def fold(
    planes: tf.Tensor, windows: Sequence[Window], size: tuple[int, ...], *, plain: bool
) -> tf.Tensor:
    """Filtered spectra (2, b, p, F, *size) of spectra (2, b, p, *lines): products, blocks summed.

    Without blocks to sum, or if it is to be `plain`, products will do.
    """
    if plain or all(len(starts) == 1 for _, starts in windows):
        return _by_products(planes, windows, size)

    @tf.custom_gradient
    def folded(planes: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        ways = [
            functools.partial(w, planes, windows, size) for w in (_by_convolution, _by_products)
        ]
        y = tf.switch_case(tf.raw_ops.DeviceIndex(device_names=["CPU"]), ways)

        def gradient(slope: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch(planes)
                y = _by_products(planes, windows, size)
            return tape.gradient(y, planes, slope)

        return y, gradient

    return folded(planes)

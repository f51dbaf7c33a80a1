"""Means over the grid of products of signals, as sums over their spectral lines or samples."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_scattering.engine.axes import cut, join, sizes
from keras_scattering.engine.lattice import Lattice, crop
from keras_scattering.engine.spectra import Spectrum
from keras_scattering.plans.banks import Box, Weights
from keras_scattering.plans.plan import Gram, Samples

Kept = Sequence[tuple[int, int, bool]]


def products(sources: Sequence[tuple[Spectrum, float]], gram: Gram, ops: Lattice) -> tf.Tensor:
    """The means of a `Gram`, (b, rows).

    Args:
        sources: Spectra of the signals, with planes (2, b, paths, *lines), and their gains.
        gram: The filters, and the products to keep.
        ops: The operations, and the arrays of the design.
    """
    filters = [f for f, *_ in gram.products]
    kept: dict[int, Kept] = {
        f: [(a, c, imaginary) for g, a, c, imaginary in gram.products if g == f]
        for f in sorted(set(filters))
    }
    match gram.over:
        case Weights() as weights:
            parts = _over_lines(sources, weights, ops, kept)
        case Samples() as samples:
            parts = _over_samples(sources, samples, ops, kept)
    # The parts are in the order of the filters, not of `gram.products`.
    order = np.argsort(np.argsort(filters, kind="stable"), kind="stable")
    y = join(parts, 1)
    return y if (np.diff(order) == 1).all() else tf.gather(y, order, axis=1)


def _over_lines(
    sources: Sequence[tuple[Spectrum, float]], weights: Weights, ops: Lattice, kept: dict[int, Kept]
) -> list[tf.Tensor]:
    r"""$\sum_k w_f[k] \hat x_a[k] \hat x_c[k]^*$, for each filter f."""
    z = _rows(tf.concat([_on_lines(*source, weights.lines).planes for source in sources], 2))
    w = ops.arrays[weights.array]
    w = tf.reshape(w, (*w.shape[:2], -1))
    return [_of_filter(z, some, w[0, f], w[1, f]) for f, some in kept.items()]


def _over_samples(
    sources: Sequence[tuple[Spectrum, float]], over: Samples, ops: Lattice, kept: dict[int, Kept]
) -> list[tf.Tensor]:
    """Means of products of the filtered signals on a part of the grid, for each filter f."""
    means = []
    for f, some in kept.items():
        bank = over.banks[f]
        filtered = ops.convolve([(_on_lines(*source, bank.lines), bank) for source in sources])
        z = _rows(tf.stack([crop(plane, over.keep) for plane in filtered]))
        one = tf.constant(1 / sizes(z)[-1], z.dtype)
        means.append(_of_filter(z, some, one, one))
    return means


def _on_lines(x: Spectrum, gain: float, lines: Box) -> Spectrum:
    """A spectrum times its gain on a box of lines, with zeros on lines that it does not have."""
    pairs = list(zip(x.lines, lines, strict=True))
    shared = [(max(a, first), min(b, last)) for (a, b), (first, last) in pairs]
    start = [first - a for (first, _), (a, _) in zip(shared, x.lines, strict=True)]
    planes = cut(x.planes, start, [last - first for first, last in shared])
    zeros = [(a - first, last - b) for (a, b), (first, last) in zip(shared, lines, strict=True)]
    if any(any(pair) for pair in zeros):
        planes = tf.pad(planes, [(0, 0)] * 3 + zeros)
    return Spectrum(planes if gain == 1 else gain * planes, lines)


def _rows(planes: tf.Tensor) -> tf.Tensor:
    """Planes (2, b, paths, *size) as one real and one imaginary row per signal."""
    paths, *size = sizes(planes)[2:]
    return tf.transpose(tf.reshape(planes, (2, -1, paths, math.prod(size))), (1, 2, 0, 3))


def _of_filter(z: tf.Tensor, kept: Kept, even: tf.Tensor, odd: tf.Tensor) -> tf.Tensor:
    """The sums (b, rows) to keep of one filter, of signals z (b, paths, 2, places).

    Each signal has one row of numbers, with its real and imaginary parts side by side. So one
    product of matrices gives the real and the imaginary part of all sums.
    """
    paths, _, places = sizes(z)[1:]
    columns = even * z
    if any(imaginary for *_, imaginary in kept):
        real, imag = tf.unstack(odd * z, axis=2)
        columns = tf.concat([columns, tf.stack([-imag, real], 2)], 1)  # i times the signal
    rows, columns = (tf.reshape(t, (-1, sizes(t)[1], 2 * places)) for t in (z, columns))
    y = tf.matmul(rows, columns, transpose_b=True)
    each = sizes(columns)[1]
    index = [a * each + c + paths * imaginary for a, c, imaginary in kept]
    return tf.gather(tf.reshape(y, (-1, paths * each)), index, axis=1)

"""Means over the grid of products of signals, as sums over their spectral lines."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_scattering.engine.axes import cut, join, sizes
from keras_scattering.engine.spectra import Spectrum
from keras_scattering.plans.plan import Gram


def products(spectra: Sequence[Spectrum], gram: Gram, weights: tf.Tensor) -> tf.Tensor:
    r"""$\sum_k w_f[k] \hat x_a[k] \hat x_c[k]^*$ for the filters f and signals a, c of a `Gram`.

    Each signal has one row of numbers, with its real and imaginary parts side by side. So one
    product of matrices gives the real part of all products of a filter. Another one gives the
    imaginary part.

    Args:
        spectra: Spectra of the sources, with planes (2, b, paths, *lines).
        gram: The products to keep.
        weights: The weights w, (F, *lines).

    Returns:
        The products, (b, rows).
    """
    size = [stop - start for start, stop in gram.lines]
    lines = math.prod(size)
    planes = join([_on_lines(x, gram, size) for x in spectra], 2)
    real, imag = tf.unstack(tf.reshape(planes, (2, -1, planes.shape[2], lines)))
    weights = tf.reshape(weights, (-1, lines))
    filters = [f for f, *_ in gram.products]
    parts = []
    for f in sorted(set(filters)):
        kept = [(a, c, im) for g, a, c, im in gram.products if g == f]
        parts.append(_of_filter(real, imag, weights[f], kept))
    # The parts are in the order of the filters, not of `gram.products`.
    order = np.argsort(np.argsort(filters, kind="stable"), kind="stable")
    y = join(parts, 1)
    return y if (np.diff(order) == 1).all() else tf.gather(y, order, axis=1)


def _on_lines(x: Spectrum, gram: Gram, size: Sequence[int]) -> tf.Tensor:
    """Planes (2, b, paths, *size) of a spectrum on the lines of a `Gram`."""
    start = [own - first for (own, _), (first, _) in zip(gram.lines, x.lines, strict=True)]
    return cut(x.planes, start, size)


def _of_filter(
    real: tf.Tensor, imag: tf.Tensor, w: tf.Tensor, kept: Sequence[tuple[int, int, bool]]
) -> tf.Tensor:
    """The products (b, rows) to keep of one filter."""
    rows = tf.concat([real, imag], -1)
    columns = tf.concat([real * w, imag * w], -1)
    y = tf.matmul(rows, columns, transpose_b=True)
    if any(imaginary for *_, imaginary in kept):
        turned = tf.concat([imag, -real], -1)  # i times the conjugate
        y = tf.concat([y, tf.matmul(turned, columns, transpose_b=True)], 1)
    paths = sizes(real)[1]
    index = [(a + paths * imaginary) * paths + c for a, c, imaginary in kept]
    return tf.gather(tf.reshape(y, (-1, sizes(y)[1] * paths)), index, axis=1)

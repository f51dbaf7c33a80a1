"""Means over the grid of products of signals, as sums over their spectral lines or samples."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from keras_scattering.engine.axes import cut, join, sizes
from keras_scattering.engine.lattice import Lattice, crop
from keras_scattering.engine.spectra import Spectrum
from keras_scattering.plans.banks import Box, Weights
from keras_scattering.plans.plan import Gram, Samples

Sources = Sequence[tuple[Spectrum, float]]
"""Spectra of signals, with planes (2, b, paths, *lines), and their gains."""


class _Rows(NamedTuple):
    """Real and imaginary part of signals, a row (b, paths, places) each."""

    real: tf.Tensor
    imag: tf.Tensor


class _Sums(NamedTuple):
    """Sums over places of products of all signals a and c, for filters f: (b, a, f, c)."""

    equal: tf.Tensor  # of real parts, and of imaginary parts
    mixed: tf.Tensor | None  # of the imaginary part of a and the real part of c


def products(sources: Sources, gram: Gram, ops: Lattice) -> tf.Tensor:
    """The means of a `Gram`, (b, rows).

    Args:
        sources: The signals.
        gram: The filters, and the products to keep.
        ops: The operations, and the arrays of the design.
    """
    imaginary = any(part for *_, part in gram.products)
    match gram.over:
        case Weights() as weights:
            sums = _over_lines(sources, weights, ops, imaginary)
        case Samples() as samples:
            sums = _over_samples(sources, samples, ops, imaginary)
    y, (paths, filters) = sums.equal, sizes(sums.equal)[1:3]
    if sums.mixed is not None:
        y = tf.concat([y, sums.mixed - tf.transpose(sums.mixed, (0, 3, 2, 1))], 1)
    index = [((a + paths * part) * filters + f) * paths + c for f, a, c, part in gram.products]
    return tf.gather(tf.reshape(y, (-1, math.prod(sizes(y)[1:]))), index, axis=1)


def _over_lines(sources: Sources, weights: Weights, ops: Lattice, imaginary: bool) -> _Sums:
    r"""$\sum_k w_f[k] \hat x_a[k] \hat x_c[k]^*$, of all filters at once."""
    planes = join([_on_lines(*source, weights.lines).planes for source in sources], 2)
    z = _rows(planes)
    w = ops.arrays[weights.array]
    even, odd = tf.unstack(tf.reshape(w, (2, 1, w.shape[1], 1, -1)))
    weighted = _Rows(even * z.real[:, None], even * z.imag[:, None])
    return _sums(z, weighted, odd * z.real[:, None] if imaginary else None)


def _over_samples(sources: Sources, over: Samples, ops: Lattice, imaginary: bool) -> _Sums:
    """Means of products of the filtered signals on a part of the grid, filter by filter."""
    each = []
    for bank in over.banks:
        filtered = ops.convolve([(_on_lines(*source, bank.lines), bank) for source in sources])
        z = _rows(tf.stack([crop(plane, over.keep) for plane in filtered]))
        mean = _Rows(*(part[:, None] / sizes(part)[-1] for part in z))
        each.append(_sums(z, mean, mean.real if imaginary else None))
    mixed = [sums.mixed for sums in each if sums.mixed is not None]
    return _Sums(join([sums.equal for sums in each], 2), join(mixed, 2) if mixed else None)


def _sums(z: _Rows, others: _Rows, mixed: tf.Tensor | None) -> _Sums:
    """Sums over places of products of rows (b, a, places) and others (b, f, c, places)."""
    _, filters, paths, places = sizes(others.real)

    def summed(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        y = tf.reshape(y, (-1, filters * paths, places))
        return tf.reshape(tf.matmul(x, y, transpose_b=True), (-1, paths, filters, paths))

    equal = summed(z.real, others.real) + summed(z.imag, others.imag)
    return _Sums(equal, None if mixed is None else summed(z.imag, mixed))


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


def _rows(planes: tf.Tensor) -> _Rows:
    """Planes (2, b, paths, *size) as rows."""
    paths, *size = sizes(planes)[2:]
    return _Rows(*tf.unstack(tf.reshape(planes, (2, -1, paths, math.prod(size)))))

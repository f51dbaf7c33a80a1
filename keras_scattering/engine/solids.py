"""Solid harmonics on tensors: their responses to real signals, and the norm over the harmonics.

Volumes have few samples per axis, and harmonics have few lines. So transforms are products with
real matrices, which leave out the lines that are zero.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_scattering.engine.axes import cut, sizes
from keras_scattering.engine.lattice import Lattice, Source
from keras_scattering.engine.spectra import Spectrum
from keras_scattering.plans.banks import Box
from keras_scattering.plans.harmonics import HarmonicBank, cas_name
from keras_scattering.runtime.gradient import custom_gradient


class Solid(Lattice):
    """The operations on volumes: spectra are cas coefficients, moduli are norms over harmonics."""

    def spectrum(self, u: tf.Tensor, lines: Box) -> Spectrum:
        """The cas coefficients of volumes (b, 1, *n) on a box of lines."""
        return Spectrum(cas_transform(u[:, 0], lines, self.arrays)[None, :, None], lines)

    def modulus(self, sources: Sequence[Source]) -> tf.Tensor:
        """sqrt(sum_m |x * psi_m|**2), (b, 1, *n), over the harmonics m of one degree."""
        ((x, bank),) = sources
        return norm(x.planes[0, :, 0], x.lines, bank, self.arrays)[:, None]


def _multiply_axes(x: tf.Tensor, matrices: Sequence[tf.Tensor]) -> tf.Tensor:
    """Multiply the axes of x (F, b, *in) by matrices (F, out, in), to (F, *out, b).

    Each product takes the last axis and puts its result in front, so no axis needs a transpose.
    """
    count, *rest = x.shape
    for matrix in reversed(matrices):
        x = tf.matmul(matrix, tf.reshape(x, (count, -1, rest.pop())), transpose_b=True)
        rest.insert(0, matrix.shape[1])
    return tf.reshape(x, (count, *rest[:-1], -1))


def _batch_first(x: tf.Tensor) -> tf.Tensor:
    """Move the last axis to the front."""
    last = len(x.shape) - 1
    return tf.transpose(x, (last, *range(last)))


def cas_transform(u: tf.Tensor, lines: Box, arrays: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """sum_t u[t] cas(2 pi k t / n), (b, *lines), of volumes (b, *n), with one cas per axis."""
    matrices = [
        tf.linalg.matrix_transpose(arrays[cas_name(n, span, (False,))])
        for n, span in zip(sizes(u)[1:], lines, strict=True)
    ]
    return _batch_first(_multiply_axes(u[None], matrices)[0])


def _responses(
    x: tf.Tensor,
    filters: str,
    odd: Sequence[tuple[bool, ...]],
    lines: Sequence[tuple[int, int]],
    size: Sequence[int],
    arrays: Mapping[str, tf.Tensor],
) -> tf.Tensor:
    """Responses (F, *size, b) of filters to cas coefficients (b, *lines)."""
    matrices = [
        arrays[cas_name(n, span, per_filter)]
        for n, span, per_filter in zip(size, lines, odd, strict=True)
    ]
    return _multiply_axes(x * tf.expand_dims(arrays[filters], 1), matrices)


def _imaginary(x: tf.Tensor, bank: HarmonicBank, arrays: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """The imaginary part of responses (F, *size, b) to cas coefficients (b, *lines)."""
    total = []
    for axis, filters, odd in bank.faces:
        others = [a for a in range(len(bank.size)) if a != axis]
        plane = tf.gather(x, 0, axis=1 + axis)
        lines, size = [bank.lines[a] for a in others], [bank.size[a] for a in others]
        response = _responses(plane, filters, odd, lines, size, arrays)
        n = bank.size[axis]
        signs = np.where(np.arange(n) % 2, -1, 1).reshape(-1, *[1] * (len(bank.size) - axis))
        total.append(tf.expand_dims(response, 1 + axis) * tf.constant(signs, response.dtype))
    return sum(total[1:], total[0])


@custom_gradient
def _root(energy: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Square root, with a zero gradient at zero."""
    root = tf.sqrt(energy)
    return root, lambda upstream: tf.math.divide_no_nan(upstream, 2 * root)


def norm(
    x: tf.Tensor, lines: Box, bank: HarmonicBank, arrays: Mapping[str, tf.Tensor]
) -> tf.Tensor:
    """sqrt(sum_m |x * psi_m|**2), (b, *size), from cas coefficients (b, *lines)."""
    first = [own - start for (own, _), (start, _) in zip(bank.lines, lines, strict=True)]
    x = cut(x, first, [stop - start for start, stop in bank.lines])
    y = _responses(x, bank.filters, bank.odd, bank.lines, bank.size, arrays)
    if bank.faces and bank.coherent:
        y += _imaginary(x, bank, arrays)
    energy = tf.reduce_sum(tf.square(y), 0)
    if bank.faces and not bank.coherent:
        energy += tf.reduce_sum(tf.square(_imaginary(x, bank, arrays)), 0)
    return _batch_first(_root(energy))

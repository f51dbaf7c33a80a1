"""Moduli and harmonics of complex signals; their gradients are zero where the modulus is zero."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from keras_scattering.engine.fourier import Planes, forward, swapped_inverse
from keras_scattering.runtime.gradient import custom_gradient


def _nonzero(rho: tf.Tensor) -> tf.Tensor:
    """Moduli to divide by.

    Signals have unit amplitude, so moduli far below their rounding are as good as zero.
    (`divide_no_nan` gives the same, but takes many times as long.)
    """
    return tf.maximum(rho, np.finfo(rho.dtype.name).eps ** 2)


def _slopes(upstream: tf.Tensor, rho: tf.Tensor, real: tf.Tensor, imag: tf.Tensor) -> Planes:
    """The gradient of a modulus."""
    scale = upstream / _nonzero(rho)
    return scale * real, scale * imag


@custom_gradient
def modulus(real: tf.Tensor, imag: tf.Tensor) -> tuple:
    """sqrt(real**2 + imag**2)."""
    rho = tf.sqrt(real * real + imag * imag)
    return rho, lambda upstream: _slopes(upstream, rho, real, imag)


def compiled_modulus(real: tf.Tensor, imag: tf.Tensor, rank: int) -> tf.Tensor:
    """The modulus of the inverse transform of spectra, by operations that XLA compiles fast.

    XLA takes 4 ms to compile each real part, imaginary part and root. In an ordinary graph, moduli
    of complex numbers take twice as long as `modulus`.
    """

    @custom_gradient
    def transform(real: tf.Tensor, imag: tf.Tensor) -> tuple:
        y = swapped_inverse(real, imag, rank)
        rho = tf.abs(y)

        def gradient(upstream: tf.Tensor) -> Planes:
            y_real, y_imag = tf.math.imag(y), tf.math.real(y)
            return forward(*_slopes(upstream, rho, y_real, y_imag), rank)

        return rho, gradient

    return transform(real, imag)


def _unit_powers(real: tf.Tensor, imag: tf.Tensor, orders: Sequence[int]) -> Iterator[Planes]:
    """z, then (z / |z|)**q for rising powers of two q, by squaring."""
    q = 1
    yield real, imag
    for order in orders:
        while q < order:
            real, imag, q = real * real - imag * imag, 2 * real * imag, 2 * q
        yield real, imag


def harmonics(real: tf.Tensor, imag: tf.Tensor, orders: Sequence[int]) -> list[tf.Tensor]:
    """|z| exp(i q arg z) for rising powers of two q, each (b, n, 2, *size) of z (b, n, *size).

    The slope by z of such a function with slope g is, for the unit u = z / |z|,

        u (Re h - i q Im h),  h = conj(g) u**q

    It has no 1 / |z|, which TensorFlow's own gradient would multiply and divide by. The slopes of
    all q add up before the product with u.
    """

    @custom_gradient
    def transform(real: tf.Tensor, imag: tf.Tensor) -> tuple:
        rho = tf.sqrt(real * real + imag * imag)
        least = _nonzero(rho)
        _, *powers = _unit_powers(real / least, imag / least, orders)
        fields = [tf.stack([rho * x, rho * y], 2) for x, y in powers]

        def gradient(*slopes: tf.Tensor) -> Planes:
            (x, y), *powers = _unit_powers(real / least, imag / least, orders)
            along, across = [], []
            for q, slope, (c, s) in zip(orders, slopes, powers, strict=True):
                g, h = tf.unstack(slope, axis=2)
                along.append(g * c + h * s)
                across.append(q * (g * s - h * c))
            total, turn = tf.add_n(along), tf.add_n(across)
            return x * total + y * turn, y * total - x * turn

        return fields, gradient

    return transform(real, imag)

"""The modulus of complex signals, and its gradient, which is zero where the modulus is zero."""

import numpy as np
import tensorflow as tf

from keras_scattering.engine.fourier import Planes, forward, swapped_inverse
from keras_scattering.runtime.gradient import custom_gradient


def _slopes(upstream: tf.Tensor, rho: tf.Tensor, real: tf.Tensor, imag: tf.Tensor) -> Planes:
    """The gradient of a modulus."""
    # Signals are scaled to unit size: what is far below their rounding is as good as zero.
    # (`divide_no_nan` would do as well, in many times the time.)
    scale = upstream / tf.maximum(rho, np.finfo(rho.dtype.name).eps ** 2)
    return scale * real, scale * imag


@custom_gradient
def modulus(real: tf.Tensor, imag: tf.Tensor) -> tuple:
    """sqrt(real**2 + imag**2)."""
    rho = tf.sqrt(real * real + imag * imag)
    return rho, lambda upstream: _slopes(upstream, rho, real, imag)


def compiled_modulus(real: tf.Tensor, imag: tf.Tensor, rank: int) -> tf.Tensor:
    """The modulus of the inverse of spectra, of operations that XLA is quick to compile.

    XLA has a compiler of its own for real parts, imaginary parts and roots, at 4 ms each. In an
    ordinary graph moduli of complex numbers take twice as long as this file's `modulus`.
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

"""Solid harmonics on tensors: their responses to real signals, and the norm over the harmonics."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_scattering import _products
from keras_scattering._fourier import from_half
from keras_scattering._weights import Weights
from keras_scattering.plans.plan import HarmonicBank


def _real_signals(
    real: tf.Tensor, imag: tf.Tensor, size: tuple[int, ...], weights: Weights
) -> tf.Tensor:
    return (_products.from_half if weights.products else from_half)(real, imag, size)


def _nyquist(real: tf.Tensor, imag: tf.Tensor, bank: HarmonicBank, weights: Weights) -> tf.Tensor:
    """What the Nyquist lines of even axes add to the responses (b, p, F, *size)."""
    total = None
    for axis, name in bank.nyquist:
        n = bank.size[axis]
        others = tuple(m for a, m in enumerate(bank.size) if a != axis)
        half = others[-1] // 2 + 1
        h = weights[name]
        plane_r, plane_i = (
            tf.expand_dims(tf.gather(part, n // 2, axis=2 + axis)[..., :half], 2)
            for part in (real, imag)
        )
        wave = _real_signals(plane_i * h, -plane_r * h, others, weights)
        signs = np.where(np.arange(n) % 2, -1.0, 1.0) / n
        shape = [n if a == axis else 1 for a in range(3)]
        wave = tf.expand_dims(wave, 3 + axis) * tf.constant(signs.reshape(shape), wave.dtype)
        total = wave if total is None else total + wave
    return total


@tf.custom_gradient
def _root(energy: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Square root, with gradient zero at zero."""
    root = tf.sqrt(energy)
    return root, lambda upstream: tf.math.divide_no_nan(upstream, 2 * root)


def norm(planes: tf.Tensor, bank: HarmonicBank, weights: Weights) -> tf.Tensor:
    """sqrt(sum_m |x * psi_m|**2) (b, p, *size) from half spectra (2, b, p, *lines)."""
    real, imag = tf.unstack(planes)
    if bank.odd:
        real, imag = -imag, real  # times i, so that odd filters give real responses
    psi = weights[bank.filters]
    filtered_r, filtered_i = (tf.expand_dims(plane, 2) * psi for plane in (real, imag))
    y = _real_signals(filtered_r, filtered_i, bank.size, weights)
    if not bank.nyquist:
        return _root(tf.reduce_sum(y * y, 2))
    wave = _nyquist(real, imag, bank, weights)
    if bank.coherent:
        return _root(tf.reduce_sum((y + wave) ** 2, 2))
    return _root(tf.reduce_sum(y * y, 2) + tf.reduce_sum(wave * wave, 2))

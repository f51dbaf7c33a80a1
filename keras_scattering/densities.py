"""Densities of atoms on a grid, as inputs of `HarmonicScattering3D` for molecules."""

import math
from typing import Any

import tensorflow as tf

from keras_scattering import _validate


def gaussian_density(
    positions: Any, weights: Any, shape: tuple[int, int, int], sigma: float = 1.0
) -> tf.Tensor:
    r"""Sums of Gaussians of unit mass centred on atoms, sampled on a grid.

    $$\rho_c(u) = \sum_a w_{a,c} (2 \pi \sigma^2)^{-3/2} e^{-|u - r_a|^2 / 2 \sigma^2}$$

    A Gaussian is separable, so matrix products compute a whole batch. The time is proportional to
    the number of atoms times voxels. You can call the function in `tf.data.Dataset.map`, before or
    after `batch`.

    Args:
        positions: Coordinates r_a in samples along depth, height and width, from the middle of the
            grid; shape `(..., atoms, 3)`.
        weights: Masses w_a of the atoms, `(..., atoms)`, or of several densities at once,
            `(..., atoms, channels)`. Atoms that only pad a batch have weight 0, and may have any
            position.
        shape: Depth, height and width of the grid, in samples.
        sigma: Width of the Gaussians in samples. A grid represents widths from about 1 well.

    Returns:
        The densities `(..., depth, height, width)`, with a channel axis at the end if the weights
        have one. The type is that of floating-point `positions`, and float32 for integers.

    Raises:
        ValueError: If `shape` is not three sizes, `sigma` is no positive number, `positions` or
            `weights` are not real, or their last axes do not fit together.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import gaussian_density
    >>> rho = gaussian_density(np.zeros((2, 1, 3)), np.ones((2, 1)), (15, 16, 17))
    >>> tuple(rho.shape), bool(abs(float(np.sum(rho[0])) - 1) < 1e-6)
    ((2, 15, 16, 17), True)

    Source: M. Eickenberg et al., "Solid harmonic wavelet scattering: predicting quantum molecular
    energy from invariant descriptors of 3D electronic densities", NeurIPS 2017.
    """
    positions, weights = reals("positions", positions), reals("weights", weights)
    if not positions.dtype.is_floating:
        positions = tf.cast(positions, tf.float32)
    weights = tf.cast(weights, positions.dtype)
    size = _validate.sizes("shape", shape, "three sizes", 3)
    sigma = _validate.positive("sigma", sigma)
    channels = len(weights.shape) == len(positions.shape)
    atoms = weights.shape[:-1] if channels else weights.shape
    fit = len(positions.shape) >= 2 and positions.shape[-1] == 3
    if not (fit and atoms.is_compatible_with(positions.shape[:-1])):
        raise ValueError(
            "Argument `positions` must have shape (..., atoms, 3), and `weights` (..., atoms) or "
            "(..., atoms, channels). "
            f"Received: positions {positions.shape}, weights {weights.shape}"
        )
    if not channels:
        weights = weights[..., None]
    padding = tf.reduce_all(weights == 0, axis=-1, keepdims=True)
    positions = tf.where(padding, tf.zeros_like(positions), positions)
    bumps = []
    for axis, n in enumerate(size):
        u = tf.range(n, dtype=positions.dtype) - (n - 1) / 2
        bump = tf.exp(-((u - positions[..., axis, None]) ** 2) / (2 * sigma**2))
        bumps.append(bump / (math.sqrt(2 * math.pi) * sigma))
    z, y, x = bumps
    lead = tf.shape(positions)[:-1]
    plane = tf.reshape(z[..., :, None] * y[..., None, :], [*tf.unstack(lead), size[0] * size[1]])
    line = x[..., :, None] * weights[..., None, :]
    line = tf.reshape(line, [*tf.unstack(lead), size[2] * weights.shape[-1]])
    rho = tf.matmul(plane, line, transpose_a=True)
    channel = [weights.shape[-1]] if channels else []
    return tf.reshape(rho, [*tf.unstack(lead[:-1]), *size, *channel])


def reals(name: str, value: Any) -> tf.Tensor:
    """A tensor of real numbers."""
    try:
        tensor = tf.convert_to_tensor(value)
    except (TypeError, ValueError) as error:
        raise _validate.not_real(name, value) from error
    if not _validate.is_real(tensor.dtype.as_numpy_dtype):
        raise _validate.not_real(name, value)
    return tensor

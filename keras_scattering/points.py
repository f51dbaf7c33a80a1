"""Patterns of points as images, for syntheses that move the points."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from keras_scattering import _validate
from keras_scattering.densities import reals


class PointPattern:
    r"""Images of points: a sum of Gaussians around positions on a circle.

    $$x(u) = \sum_p e^{-|u - r_p|^2 / 2 \sigma^2}$$

    The distance is to the nearest copy of a point, for the image is a circle along both axes: what
    leaves it at one edge enters at the other. A Gaussian is separable, so one product of matrices
    makes each image. The time is proportional to the number of points times pixels.

    Give it to `synthesize` as `through`. The gradient then moves the positions.

    Args:
        shape: Height and width of the image, in pixels.
        sigma: Width of the Gaussians in pixels. A grid represents widths from about 1 well.
        data_shape: Height and width of the window that patterns given as data are drawn in. None
            for `shape`.

    Raises:
        ValueError: If a shape is not two sizes, `sigma` is no positive number, or positions are not
            real numbers of shape `(..., points, 2)`.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import PointPattern
    >>> draw = PointPattern((32, 48), sigma=1.0)
    >>> x = draw(np.array([[[0.0, 0.0], [10.0, 20.5]]]))  # one pattern of two points
    >>> tuple(x.shape), float(x[0, 0, 0])
    ((1, 32, 48), 1.0)

    Source: A. Brochard, B. Błaszczyszyn, S. Mallat and S. Zhang, "Particle gradient descent model
    for point process generation", 2020 (arXiv 2010.14928).
    """

    def __init__(
        self, shape: tuple[int, int], sigma: float, data_shape: tuple[int, int] | None = None
    ):
        self.shape = _validate.sizes("shape", shape, "two sizes", 2)
        self.sigma = _validate.positive("sigma", sigma)
        given = self.shape if data_shape is None else data_shape
        self.data_shape = _validate.sizes("data_shape", given, "two sizes", 2)

    def __call__(self, positions: Any) -> tf.Tensor:
        """Images (..., *shape) of positions (..., points, 2), rows and columns in pixels."""
        return self._draw(positions, self.shape)

    def window(self, positions: Any) -> tf.Tensor:
        """Images (..., *data_shape) of positions that are data."""
        return self._draw(positions, self.data_shape)

    def poisson(self, seed: int, n: int, points: int) -> np.ndarray:
        """Uniform positions for n samples, as dense as `points` points in a window of data."""
        count = round(points * math.prod(self.shape) / math.prod(self.data_shape))
        if not count:
            raise ValueError(
                "Argument `data` must have so many points that an output has one or more: give "
                f"more, or a larger `shape`. Received: {points} points in a window of "
                f"{self.data_shape}, for an output of {self.shape}"
            )
        draws = [np.random.default_rng([seed, i]).random((count, 2)) for i in range(n)]
        return np.stack(draws) * self.shape

    def wrapped(self, positions: np.ndarray) -> np.ndarray:
        """Positions within the image."""
        positions = np.mod(positions, self.shape)
        return np.where(positions < self.shape, positions, 0.0)  # rounding may give the size itself

    def _draw(self, positions: Any, shape: tuple[int, ...]) -> tf.Tensor:
        positions = reals("positions", positions)
        if not positions.dtype.is_floating:
            positions = tf.cast(positions, tf.float32)
        if len(positions.shape) < 2 or positions.shape[-1] != 2:
            raise ValueError(
                "Argument `positions` must have shape (..., points, 2). "
                f"Received: shape {positions.shape}"
            )
        rows, columns = (self._bumps(positions[..., axis, None], n) for axis, n in enumerate(shape))
        return tf.matmul(rows, columns, transpose_a=True)

    def _bumps(self, positions: tf.Tensor, n: int) -> tf.Tensor:
        """Gaussians along one axis, (..., points, n)."""
        apart = tf.range(n, dtype=positions.dtype) - positions
        apart -= n * tf.stop_gradient(tf.round(apart / n))  # to the nearest copy
        return tf.exp(-(apart**2) / (2 * self.sigma**2))

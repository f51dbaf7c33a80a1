"""Solid harmonic scattering of volumes."""

import math
from typing import Any

import keras
import tensorflow as tf

from keras_scattering import _validate
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.plans.harmonic3d import plan_harmonic3d
from keras_scattering.plans.plan import Plan


@keras.saving.register_keras_serializable(package="keras_scattering")
class HarmonicScattering3D(ScatteringLayer):
    r"""Solid harmonic scattering of volumes: invariant to translation and rotation.

    $$U_{j,l} x = \Big(\sum_{m=-l}^{l} |x * \psi_{j,l,m}|^2\Big)^{1/2} \quad
      S_1 x = \sum_u (U_{j,l} x)^q \quad S_2 x = \sum_u (U_{j_2,l} U_{j_1,l} x)^q$$

    with $\hat\psi_{j,l,m}(\omega) = c_l (|\omega| \sigma_j)^l e^{-|\omega|^2 \sigma_j^2 / 2}
    Y_{l,m}(\omega / |\omega|)$, σ_j = `sigma_0` 2**j, j = 0..J, l = 0..L, j2 > j1, and ω in
    radians/sample. The sums run over the voxels u of the box. The layer treats the box as periodic.

    Args:
        J: log2 of the ratio of the largest to the smallest scale; from 1 to 20.
        L: Largest angular degree l; from 1 to 128.
        sigma_0: Width of the smallest scale, in samples.
        max_order: 1 or 2.
        rotation_covariant: True sums over m, which makes the coefficients invariant to rotation.
            False takes only m = -l.
        integral_powers: Powers q, positive.
        data_format: `"channels_last"` or `"channels_first"`; None for Keras' setting.
        jit_compile: Whether XLA compiles the layer, to run side by side on all cores. This is
            faster, but takes some seconds at the first call and for each new batch size. Servers
            may refuse graphs that XLA must compile.
        fft: `"native"`, or `"matrix"` for LiteRT and ONNX, which computes the whole batch at once.
            Both transform volumes by products of real matrices.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`. With `dtype="float64"` the
            layer computes in double precision. Under a mixed policy it computes in float32, and
            returns the compute dtype.

    Input shape:
        `(batch, depth, height, width)`, with axes z, y, x. `channels` may follow at the end, or at
        position 1 with channels first. The layer also takes a single volume without its batch axis,
        where the shape permits no other reading.

    Output shape:
        `(batch, P, L + 1, R)` with P = (J + 1) + J (J + 1) / 2 paths over scales, L + 1 degrees and
        R powers. J + 1 of the paths are of the first order. With channels the shape is
        `(batch, P, L + 1, channels * R)`, and power r of channel c is at c * R + r. With channels
        first, the last axis moves to position 1.

    Raises:
        ValueError: For an argument with a value not stated here. When the layer is built, also for
            a volume of unknown size or of another rank.

    Metadata (`meta()`), one row for each of the P paths: `order`, `n1`, `j1`, `n2`, `j2`. The index
    of each scale is the scale itself.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import HarmonicScattering3D
    >>> layer = HarmonicScattering3D(J=2, L=3)
    >>> tuple(layer(np.ones((1, 16, 16, 16))).shape)
    (1, 6, 4, 3)
    >>> layer.meta()["j2"].tolist()
    [-1, -1, -1, 1, 2, 2]

    References:
        M. Eickenberg, G. Exarchakis, M. Hirn, S. Mallat, "Solid Harmonic Wavelet Scattering",
        NeurIPS 2017, and with L. Thiry, Journal of Chemical Physics 148, 2018.
    """

    rank = 3
    axes = "depth, height, width"

    def __init__(
        self,
        J: int,
        L: int = 3,
        sigma_0: float = 1.0,
        max_order: int = 2,
        rotation_covariant: bool = True,
        integral_powers: tuple[float, ...] = (0.5, 1.0, 2.0),
        data_format: str | None = None,
        *,
        jit_compile: bool = False,
        fft: str = "native",
        **kwargs: Any,
    ):
        super().__init__(data_format, jit_compile=jit_compile, fft=fft, **kwargs)
        self.J = _validate.positive_int("J", J, _validate.LARGEST_J_BOX)
        self.L = _validate.second_int("L", L, _validate.LARGEST_DEGREE)
        self.sigma_0 = _validate.positive("sigma_0", sigma_0)
        self.max_order = _validate.one_of("max_order", max_order, (1, 2))
        self.rotation_covariant = _validate.boolean("rotation_covariant", rotation_covariant)
        self.integral_powers = _validate.positives("integral_powers", integral_powers)
        # The wavelets contain powers of |omega| sigma_j, which must not overflow.
        largest = math.log10(math.pi * math.sqrt(3) * self.sigma_0) + self.J * math.log10(2)
        if max(self.L, 2) * largest > 300:
            raise ValueError(
                "The largest width `sigma_0` * 2**`J` and the largest degree `L` are too large "
                f"together. Received: sigma_0={sigma_0}, J={J}, L={L}"
            )

    def _make_plan(self, size: tuple[int, ...]) -> Plan:
        depth, height, width = size
        return plan_harmonic3d(
            (depth, height, width),
            self.J,
            self.L,
            self.sigma_0,
            self.max_order,
            self.rotation_covariant,
            self.integral_powers,
        )

    def _arrange(self, plan: Plan, y: tf.Tensor) -> tf.Tensor:
        """Coefficients (batch, paths, degrees, powers), in the layout of the data format."""
        powers, paths, degrees = plan.outputs[0]
        y = tf.reshape(y, (-1, paths, degrees, powers))
        return y if self.data_format == "channels_last" else tf.transpose(y, (0, 3, 1, 2))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the layer."""
        return {
            **super().get_config(),
            "J": self.J,
            "L": self.L,
            "sigma_0": self.sigma_0,
            "max_order": self.max_order,
            "rotation_covariant": self.rotation_covariant,
            "integral_powers": self.integral_powers,
        }

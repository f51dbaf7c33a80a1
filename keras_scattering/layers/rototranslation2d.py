"""Scattering of images that is invariant to translations and rotations."""

import math
from typing import Any

import keras

from keras_scattering import _validate
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.plans.plan import Plan
from keras_scattering.plans.rotation import Angles, plan_rototranslation2d


@keras.saving.register_keras_serializable(package="keras_scattering")
class RotoTranslationScattering2D(ScatteringLayer):
    r"""Scattering of images, jointly over space and angle.

    The moduli $U_1(u, l, j_1) = |x * \psi_{j_1, l}|(u)$ of all angles l make an image over space
    and angle. Rotations of x move it along l. Wavelets at a fixed angle δ from l follow it, and
    then wavelets along l:

    $$Y(u, l) = U_1(\cdot, l, j_1) * \psi_{j_2, l + \delta}(u), \qquad \psi_{j, l + L} =
      \psi_{j, l}^*$$
    $$S_1 = |(U_1 * \phi) \circledast \psi_{n_\theta}| \circledast \phi_\theta, \qquad
      S_2 = |Y \circledast \psi_{n_\theta}| \circledast \phi_\theta * \phi$$

    for j2 > j1, where * convolves in space, and the circled star along l, on a circle of n = 2 L
    points. Order 0 is x * φ. The filters along the circle are a low-pass (n_theta = 0, spin 0) and
    Morlet wavelets. With the mean over angles, a rotated image has the same coefficients, rotated
    in space.

    Args:
        J: log2 of the largest scale, in samples; from 1 to 62.
        L: Number of angles in a half turn, from 2 to 256, or from 4 if `rotation_covariant` is
            False.
        T: None averages in space by a Gaussian of deviation 0.4 · 2**J samples, `"global"` takes
            the mean over the padded image, `"signal"` the mean of the output of `T=0` over the
            image alone, and 0 takes none.
        stride: Output step in space, a power of two of at most 2**J; None for 2**J.
        J_theta: log2 of the largest scale along the circle, in angles. 2**J_theta is at most half
            of the circle. None for floor(log2 L) - 1, or 1 if that is less.
        T_theta: `"global"` takes the mean over all angles. A number from 1 to 2**J_theta, or None
            for 2**J_theta, averages by a Gaussian of width 0.1 / T_theta cycles per angle, except
            where the low-pass has done so. 0 takes no average.
        stride_theta: Output step along the circle, a power of two that divides L, and at most
            T_theta; None for the largest.
        rotation_covariant: True is the joint transform above. False has second wavelets at absolute
            angles δ, on a circle of n = L points: the mean over angles is then not invariant.
        max_order: Largest order, 1 or 2.
        padding: Kind of padding beyond the image, as in `Scattering2D`.
        data_format: `"channels_last"` or `"channels_first"`; None for Keras' setting.
        jit_compile: Whether XLA compiles the layer, to run side by side on all cores. This is
            faster, but takes some seconds at the first call and for each new batch size. Servers
            may refuse graphs that XLA must compile.
        fft: `"native"`, or `"matrix"` for transforms by real matrix products. LiteRT and ONNX need
            these, since they have no FFTs of complex signals.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`. With `dtype="float64"` the
            layer computes in double precision. Under a mixed policy it computes in float32, and
            returns the compute dtype.

    Input shape:
        `(batch, height, width)`, with `channels` at the end, or at position 1 with channels first.
        Channels are treated one by one. The layer also takes a single image without its batch axis,
        where the shape permits no other reading.

    Output shape:
        `(batch, height', width', K)`, or with channels * K. Path k of channel c is at c * K + k.
        With channels first, the axis of paths is the second. For `T="global"` and `"signal"` there
        are no axes of space. For `T=0` the output is a list with one tensor per path, each sampled
        at its own step. J=4 and L=8 give 209 paths, where `Scattering2D` has 417.

    Raises:
        ValueError: For an argument with a value not stated here. When the layer is built, also for
            an image with fewer than 2**J rows or columns, of unknown size, or of another rank.

    Metadata (`meta()`): `order`, `j1`, `j2`, `delta`, `n_theta`, `xi_theta` and `sigma_theta` in
    cycles per angle, `j_theta`, `spin`, `theta` (l, -1 for a mean) and `angle` in radians. Missing
    values are -1, or NaN.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import RotoTranslationScattering2D
    >>> layer = RotoTranslationScattering2D(J=2, L=4)
    >>> tuple(layer(np.ones((1, 32, 32))).shape)
    (1, 8, 8, 19)
    >>> layer.meta()["delta"].tolist()
    [-1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]

    References:
        L. Sifre and S. Mallat, "Rotation, scaling and deformation invariant scattering for texture
        discrimination", CVPR 2013. E. Oyallon and S. Mallat, "Deep roto-translation scattering for
        object classification", CVPR 2015, for the separable form.
    """

    rank = 2
    axes = "height, width"

    def __init__(
        self,
        J: int,
        L: int = 8,
        T: float | str | None = None,
        stride: int | None = None,
        J_theta: int | None = None,
        T_theta: float | str | None = "global",
        stride_theta: int | None = None,
        rotation_covariant: bool = True,
        max_order: int = 2,
        padding: str = "reflect",
        data_format: str | None = None,
        *,
        jit_compile: bool = False,
        fft: str = "native",
        **kwargs: Any,
    ):
        super().__init__(data_format, jit_compile=jit_compile, fft=fft, **kwargs)
        self.J = _validate.positive_int("J", J, _validate.LARGEST_J)
        self.L = _validate.second_int("L", L, _validate.LARGEST_COUNT)
        self.rotation_covariant = _validate.boolean("rotation_covariant", rotation_covariant)
        least = 2 if self.rotation_covariant else 4
        if least > self.L:
            raise ValueError(
                f"Argument `L` must be at least {least} for filters along the circle of angles. "
                f"Received: L={self.L}, rotation_covariant={self.rotation_covariant}"
            )
        self.T = _validate.one_of("T", T, (None, *_validate.MEANS, 0))
        self.stride = _validate.step("stride", stride, "T", self.T, self.J)
        self.J_theta = None if J_theta is None else _validate.positive_int("J_theta", J_theta)
        self.T_theta = T_theta
        self.stride_theta = stride_theta
        self.max_order = _validate.one_of("max_order", max_order, (1, 2))
        self.padding = _validate.one_of("padding", padding, _validate.PADDINGS)
        self._angles = self._circle()

    def _circle(self) -> Angles:
        """The circle of angles, after checks of its arguments."""
        circle = 2 * self.L if self.rotation_covariant else self.L
        J_theta = self.J_theta or max(1, math.floor(math.log2(self.L)) - 1)
        if 2**J_theta > circle // 2:
            raise ValueError(
                "Argument `J_theta` must be so small that 2**J_theta is at most half "
                f"of the circle of {circle} angles. Received: J_theta={J_theta}, L={self.L}"
            )
        self.T_theta = _validate.support(
            "T_theta", self.T_theta, ("global",), 2**J_theta, "2**J_theta"
        )
        self.stride_theta = _validate.step(
            "stride_theta", self.stride_theta, "T_theta", self.T_theta, J_theta
        )
        if self.L % (self.stride_theta or 1):
            raise ValueError(
                "Argument `stride_theta` must divide L, so that a half turn has whole steps. "
                f"Received: stride_theta={self.stride_theta}, L={self.L}"
            )
        stride = self.stride_theta
        if stride is None and not isinstance(self.T_theta, str) and self.T_theta != 0:
            stride = math.gcd(self.L, _validate.default_step(self.T_theta, J_theta))
        return Angles(self.L, J_theta, self.T_theta, stride, self.rotation_covariant)

    def _make_plan(self, size: tuple[int, ...]) -> Plan:
        rows, columns = size
        return plan_rototranslation2d(
            (rows, columns),
            self.J,
            self._angles,
            self.T,
            self.stride,
            self.max_order,
            self.padding,
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the layer."""
        return {
            **super().get_config(),
            "J": self.J,
            "L": self.L,
            "T": self.T,
            "stride": self.stride,
            "J_theta": self.J_theta,
            "T_theta": self.T_theta,
            "stride_theta": self.stride_theta,
            "rotation_covariant": self.rotation_covariant,
            "max_order": self.max_order,
            "padding": self.padding,
        }

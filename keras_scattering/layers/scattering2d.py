"""Scattering of images."""

from typing import Any

import keras

from keras_scattering import _validate
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.plans.plan import Plan
from keras_scattering.plans.scattering2d import plan_scattering2d


@keras.saving.register_keras_serializable(package="keras_scattering")
class Scattering2D(ScatteringLayer):
    r"""Wavelet scattering of images: stable to deformation, nothing to train.

    $$S_0 x = x * \phi \quad S_1 x(n_1) = |x * \psi_{n_1}| * \phi \quad
      S_2 x(n_1, n_2) = ||x * \psi_{n_1}| * \psi_{n_2}| * \phi$$

    with Morlet wavelets ψ of scale 2**j, j = 0..J-1, and angle θ_l, l = 0..L-1. Filter index
    n is j L + l. The paths are all n1, and all (n1, n2) with j2 > j1. A wavelet has the frequency
    (3 π / 4) / 2**j radians/sample. Its envelope is a Gaussian of deviation 0.8 * 2**j samples
    along θ, and L / 4 times as much across. φ is a Gaussian of deviation 0.8 * 2**(J - 1)
    samples.

    Args:
        J: log2 of the largest scale, in samples; from 1 to 62.
        L: Number of angles in a half turn, at most 256.
        T: None for averages of the scale 2**J, with the Gaussian window φ, or 0 for no average.
            `"global"` takes the mean over the whole padded image. `"signal"` takes the mean of the
            output of `T=0` over the samples of the image alone.
        stride: Step between output samples on both axes, a power of two of at most 2**J. None takes
            the largest.
        max_order: 1 or 2.
        padding: Kind of padding beyond the image's edges: `"reflect"` (the edge samples not
            repeated), `"symmetric"` (repeated), `"zero"`, `"periodic"` (to the next multiple of
            2**J), or `"none"`. `"none"` treats the image as periodic and trims nothing; height and
            width must be multiples of 2**J.
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
        `(batch, height, width)` or `(batch, height, width, channels)`; with channels first
        `(batch, channels, height, width)`. The layer also takes a single image without its batch
        axis, where the shape permits no other reading, as in `dataset.map(layer)` before batching.

    Output shape:
        There are K = 1 + J L + L**2 J (J - 1) / 2 paths. The shape is `(batch, height', width', K)`
        or `(batch, height', width', channels * K)`, with height' = height // 2**J at the default
        stride. Path k of channel c is at c * K + k. With channels first, channels and paths come
        before height. For `T="global"` and `"signal"`, `(batch, K)` or `(batch, channels * K)`. For
        `T=0` a list with one tensor per path, `(batch, height_j, width_j)` or with channels,
        sampled every 2**j samples.

    Raises:
        ValueError: For an argument with a value not stated here. When the layer is built, also for
            an image smaller than 2**J, of unknown size, or of another rank.

    Metadata (`meta()`): `order`, `n1`, `j1`, `theta1` (index of the angle), `angle1` (radians, from
    the vertical axis), and the same for the second order.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import Scattering2D
    >>> layer = Scattering2D(J=2)
    >>> tuple(layer(np.ones((3, 28, 28))).shape)
    (3, 7, 7, 81)
    >>> layer.meta()["j1"][:3].tolist()  # order 0 has no scale
    [-1, 0, 0]

    References:
        J. Bruna and S. Mallat, "Invariant Scattering Convolution Networks", IEEE Transactions on
        Pattern Analysis and Machine Intelligence 35(8), 2013. M. Andreux et al., "Kymatio:
        Scattering Transforms in Python", JMLR 21(60), 2020, for the constants of the filters.
    """

    rank = 2
    axes = "height, width"

    def __init__(
        self,
        J: int,
        L: int = 8,
        T: str | int | None = None,
        stride: int | None = None,
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
        self.T = _validate.one_of("T", T, (None, *_validate.MEANS, 0))
        self.stride = _validate.step("stride", stride, "T", self.T, self.J)
        self.max_order = _validate.one_of("max_order", max_order, (1, 2))
        self.padding = _validate.one_of("padding", padding, _validate.PADDINGS)

    def _make_plan(self, size: tuple[int, ...]) -> Plan:
        height, width = size
        return plan_scattering2d(
            (height, width), self.J, self.L, self.T, self.stride, self.max_order, self.padding
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the layer."""
        return {
            **super().get_config(),
            "J": self.J,
            "L": self.L,
            "T": self.T,
            "stride": self.stride,
            "max_order": self.max_order,
            "padding": self.padding,
        }

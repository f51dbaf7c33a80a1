"""Generalised rectifier wavelet covariances of images."""

import dataclasses
from typing import Any

import keras

from keras_scattering import _validate
from keras_scattering.layers.covariances import CovarianceLayer
from keras_scattering.plans.plan import Plan
from keras_scattering.plans.rectifier2d import plan_rectifier2d


@keras.saving.register_keras_serializable(package="keras_scattering")
class RectifierCovariances2D(CovarianceLayer):
    r"""Generalised rectifier wavelet covariances of images and textures.

    With wavelet coefficients $W_{j,l} = x * \psi_{j,l} - \langle x * \psi_{j,l} \rangle$ and
    rectifiers of A phases,

    $$R_{j,l,a} = \max(\mathrm{Re}(e^{2 \pi i a / A} W_{j,l}), 0), \qquad
      \mu = \langle R \rangle, \qquad s^2 = \langle (R - \mu)^2 \rangle$$

    the covariances of two wavelets, the second of phase 0, at shifts t are

    $$\frac{\langle (R_{j_1,l_1,a}(u + t) - \mu_1)(R_{j_2,l_2,0}(u) - \mu_2) \rangle}{s_1 s_2}$$

    where ⟨ ⟩ is the mean over the image. They hold how wavelet phases align between scales, angles
    and places, which is what edges and contours are made of. The rows of a channel are called mean,
    variance, rectifier_mean (μ / s), rectifier_variance (s²), covariance, low and high. Low is the
    correlation of $Z = x * \phi - \langle x * \phi \rangle$ at shifts, high that of
    $H = |x * h|$ for differences h along both axes and across. Both are divided by their value at
    t = 0, whose own row holds the value itself.

    Args:
        J: log2 of the largest scale, in samples; from 1 to 62.
        L: Number of angles in a half turn, at most 256.
        A: Number of phases of the first rectifier, at most 256.
        dj: Largest j2 - j1, at least 0.
        dn: Number of lengths of shifts: 2**n samples in 8 directions for n = 0..dn-1; from 0 to J.
            None for J.
        shifts: `"all"` compares all pairs at every shift, `"same"` only a wavelet with itself, and
            the others unshifted.
        cross_channels: False treats each channel alone. True adds rows between channels, as colour
            needs them.
        normalize: Whether covariances are divided: by the deviations of each image for True, by the
            mean ones of the data that `adapt` has seen for `"adapted"`. False divides by nothing. A
            variance within the rounding of the image's mean square makes the ratio 0, so all
            covariances of a constant image are zeros.
        padding: `"periodic"` or `"none"`, which both take the image as periodic as it is, or
            `"reflect"`, `"symmetric"` or `"zero"`. After padding, means run over the image's own
            samples u; u + t may be outside of it.
        data_format: `"channels_last"` or `"channels_first"`; None for Keras' setting.
        jit_compile: Whether XLA computes, side by side on all cores. It takes some seconds at the
            first call and for each new batch size. Servers may refuse graphs that XLA must compile.
        fft: `"native"`, or `"matrix"` for transforms by real matrix products. LiteRT and ONNX need
            these, since they have no FFTs of complex signals.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`. With `dtype="float64"` the
            layer computes in double precision. Under a mixed policy it computes in float32, and
            returns the compute dtype.

    Input shape:
        `(batch, height, width)`, with `channels` at the end, or at position 1 with channels first.
        The layer also takes a single image without its batch axis, where the shape permits no other
        reading.

    Output shape:
        With K rows per channel, `(batch, K)` or `(batch, channels * K)`. Row k of channel c is at
        c * K + k. With `cross_channels=True` the rows between channels follow. J=4 gives 15,958
        rows, or 5,038 with dn=1.

    Raises:
        ValueError: For an argument with a value not stated here. When the layer is built, also for
            an image with fewer than 2**J rows or columns, of unknown size, or of another rank, and
            for `cross_channels=True` with fewer than two channels. When it is called with
            `normalize="adapted"` before `adapt`.

    Metadata (`meta()`): `kind`, `c1`, `c2`, `j1`, `j2`, `l1`, `l2`, `a`, `n` (index of the shift's
    length), `t1`, `t2` (the shift in rows and columns). l1 holds the kind of difference for high.
    -1 is for none, 0 for no shift. c1 and c2 are -1 unless `cross_channels=True`; then the table
    has a row for every output, where otherwise it has those of one channel.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import RectifierCovariances2D
    >>> layer = RectifierCovariances2D(J=2, dn=0)
    >>> x = np.random.default_rng(0).standard_normal((2, 32, 32))
    >>> tuple(layer(x).shape)
    (2, 242)
    >>> layer.meta()["kind"][[0, 1, 2, 34, 66, 238, 239]].tolist()  # doctest: +NORMALIZE_WHITESPACE
    ['mean', 'variance', 'rectifier_mean', 'rectifier_variance', 'covariance', 'low', 'high']

    References:
        A. Brochard, S. Zhang and S. Mallat, "Generalized rectifier wavelet covariance models for
        texture synthesis", ICLR 2022 (arXiv 2203.07902).
    """

    rank = 2
    axes = "height, width"

    def __init__(
        self,
        J: int,
        L: int = 4,
        A: int = 4,
        dj: int = 2,
        dn: int | None = None,
        shifts: str = "all",
        cross_channels: bool = False,
        normalize: bool | str = True,
        padding: str = "periodic",
        data_format: str | None = None,
        *,
        jit_compile: bool = False,
        fft: str = "native",
        **kwargs: Any,
    ):
        options = {"jit_compile": jit_compile, "fft": fft, **kwargs}
        super().__init__(normalize, padding, data_format, **options)
        self.J = _validate.positive_int("J", J, _validate.LARGEST_J)
        self.L = _validate.second_int("L", L, _validate.LARGEST_COUNT)
        self.A = _validate.positive_int("A", A, _validate.LARGEST_COUNT)
        self.dj = _validate.natural("dj", dj)
        self.dn = _validate.optional_natural("dn", dn, self.J)
        self.shifts = _validate.one_of("shifts", shifts, ("all", "same"))
        self.cross_channels = _validate.boolean("cross_channels", cross_channels)
        self._signals = dataclasses.replace(self._signals, joint=self.cross_channels)

    def _make_plan(self, size: tuple[int, ...]) -> Plan:
        *channels, rows, columns = size
        if self.cross_channels and (not channels or channels[0] < 2):
            raise ValueError(
                "Argument `cross_channels` must be False for inputs with fewer than two channels. "
                f"Received: cross_channels=True, channels: {channels[0] if channels else 'none'}"
            )
        return plan_rectifier2d(
            (rows, columns),
            channels[0] if channels else None,
            self.J,
            self.L,
            self.A,
            self.dj,
            self.J if self.dn is None else self.dn,
            self.shifts == "same",
            self.normalize,
            self.padding,
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the layer."""
        return {
            **super().get_config(),
            "J": self.J,
            "L": self.L,
            "A": self.A,
            "dj": self.dj,
            "dn": self.dn,
            "shifts": self.shifts,
            "cross_channels": self.cross_channels,
        }

"""Covariances of wavelet phase harmonics of images."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_scattering import _validate
from keras_scattering.layers.covariances import CovarianceLayer, classes_of_moments
from keras_scattering.plans.phase import DEFAULT_CLASSES
from keras_scattering.plans.phase2d import BANKS, plan_phase_harmonics2d
from keras_scattering.plans.plan import Plan


@keras.saving.register_keras_serializable(package="keras_scattering")
class PhaseHarmonics2D(CovarianceLayer):
    r"""Covariances of wavelet phase harmonics of images and fields.

    The harmonic of order k multiplies the phase of a complex number,
    $[z]^k = |z| e^{i k \arg z}$, so $[z]^0 = |z|$ and $[z]^1 = z$. With $W_a = x * \psi_a$ for
    a = (j, l), the rows are

    $$C_{a,p;b,q}(\tau) = \frac{\big\langle ([W_a(u)]^p - \langle [W_a]^p \rangle) \,
      ([W_b(u + \tau)]^q - \langle [W_b]^q \rangle)^* \big\rangle}{\sqrt{P_a P_b}},
      \qquad P_a = \langle |W_a - \langle W_a \rangle|^2 \rangle$$

    where ⟨ ⟩ is the mean over the image. Two bands of frequencies are not correlated, but their
    harmonics are: so the rows hold how the phases of scales depend on each other.

    | class | compares | p, q | shifts | parts |
    |---|---|---|---|---|
    | `"mean"` | ⟨x⟩ | | | real |
    | `"S11"` | a wavelet with itself | 1, 1 | 0; then n = 1..dn, a = 0..A-1 | real, imag |
    | `"S00"` | a modulus with itself | 0, 0 | 0; then n = 1..dn, a = 0..A-1 | real |
    | `"C00"` | two moduli, j1 < j2 | 0, 0 | 0 | real |
    | `"S01"` | a modulus with its wavelet | 0, 1 | 0 | real, imag |
    | `"C01"` | a modulus with a wavelet, j1 < j2 | 0, 1 | 0; for l1 = l2 all | real, imag |
    | `"Cphase"` | wavelets of one angle, j1 < j2 | 1, 2**(j2 - j1) | all | real, imag |
    | `"L"` | each low-pass with its modulus | 0 and 1 | 0 | real |

    A shift has length 2**n, and direction π a / A from the second wavelet's angle on, a = 0..2A-1
    for C01 and Cphase. Its rows and columns are rounded.

    Args:
        J: log2 of the largest scale, in samples; from 1 to 62.
        L: Number of angles in a half turn, at most 256.
        wavelet: `"morlet"`, as in `Scattering2D`, or `"bump_steerable"`.
        moments: The classes, a sequence or one name. Their order has no effect on the rows.
        dj: Largest j2 - j1, from 0 to J - 1. None for J - 1.
        dl: Largest distance of l1 and l2 on the circle of L angles. None for L // 2, all.
        dn: Number of lengths of shifts. 2**dn is at most half of the shorter side.
        A: Number of directions of shifts in a half turn.
        normalize: Whether covariances are divided by powers: by those of each image for True, by
            the mean powers of the data that `adapt` has seen for `"adapted"`. False divides by
            nothing. L is divided by the power of its low-pass. The powers themselves, which are S11
            without shift and L with p = q = 1, are never divided, nor is the mean. A power within
            the rounding of the image's mean square makes the ratio 0, so all covariances of a
            constant image are zeros.
        oversampling: None keeps every sample, as the definition does. An integer a >= 0 keeps one
            sample in 2**max(0, j1 - a) along each axis, as far as this divides the sizes and the
            shift. It is faster, and the guide has its errors. It needs a periodic image.
        padding: `"periodic"` or `"none"`, which both take the image as periodic as it is, or
            `"reflect"`, `"symmetric"` or `"zero"`. After padding, means run over the image's own
            samples, and over pairs of them.
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
        Channels are treated one by one. The layer also takes a single image without its batch axis,
        where the shape permits no other reading.

    Output shape:
        With K rows, `(batch, K)` or `(batch, channels * K)`. Row k of channel c is at c * K + k.
        J=5 and L=8 give 1,600 rows, or 4,640 with dn=1.

    Raises:
        ValueError: For an argument with a value not stated here. When the layer is built, also for
            an image with fewer than 2**J rows or columns, of unknown size, or of another rank. When
            it is called with `normalize="adapted"` before `adapt`.

    Metadata (`meta()`): `kind` (the class), `j1`, `l1`, `p1`, `j2`, `l2`, `p2` (p and q), `n` and
    `a` of the shift, `tau0` and `tau1` in samples, and `part` ("real" or "imag"). -1 is for none.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import PhaseHarmonics2D
    >>> layer = PhaseHarmonics2D(J=3, L=4)
    >>> x = np.random.default_rng(0).standard_normal((2, 32, 32))
    >>> tuple(layer(x).shape)
    (2, 168)
    >>> layer.meta()["kind"][[0, 12, 24, 48, 144]].tolist()
    ['S11', 'S00', 'S01', 'C01', 'Cphase']

    References:
        S. Mallat, S. Zhang and G. Rochette, "Phase harmonic correlations and convolutional neural
        networks", 2018 (arXiv 1810.12136). E. Allys et al., "New interpretable statistics for
        large-scale structure analysis and generation", 2020 (arXiv 2006.06298). B.
        Régaldo-Saint Blancard et al., pywph, for the constants of the bump steerable wavelets.
    """

    rank = 2
    axes = "height, width"

    def __init__(
        self,
        J: int,
        L: int = 8,
        wavelet: str = "morlet",
        moments: str | Sequence[str] = DEFAULT_CLASSES,
        dj: int | None = None,
        dl: int | None = None,
        dn: int = 0,
        A: int = 4,
        normalize: bool | str = True,
        oversampling: int | None = None,
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
        self.wavelet = _validate.one_of("wavelet", wavelet, tuple(BANKS))
        self.moments = classes_of_moments(moments)
        self.dj = _validate.optional_natural("dj", dj, self.J - 1)
        self.dl = _validate.optional_natural("dl", dl, self.L // 2)
        self.dn = _validate.natural("dn", dn)
        self.A = _validate.positive_int("A", A, _validate.LARGEST_COUNT)
        self.oversampling = self._periodic_oversampling(oversampling)

    def _make_plan(self, size: tuple[int, ...]) -> Plan:
        rows, columns = size
        return plan_phase_harmonics2d(
            (rows, columns),
            self.J,
            self.L,
            self.wavelet,
            self.moments,
            self.J - 1 if self.dj is None else self.dj,
            self.L // 2 if self.dl is None else self.dl,
            self.dn,
            self.A,
            self.normalize,
            self.oversampling,
            self.padding,
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the layer."""
        return {
            **super().get_config(),
            "J": self.J,
            "L": self.L,
            "wavelet": self.wavelet,
            "moments": self.moments,
            "dj": self.dj,
            "dl": self.dl,
            "dn": self.dn,
            "A": self.A,
            "oversampling": self.oversampling,
        }

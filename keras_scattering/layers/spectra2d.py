"""Scattering spectra of images."""

from typing import Any

import keras

from keras_scattering import _validate
from keras_scattering.layers.spectra import SpectraLayer
from keras_scattering.plans.plan import Plan
from keras_scattering.plans.spectra2d import plan_spectra2d


@keras.saving.register_keras_serializable(package="keras_scattering")
class ScatteringSpectra2D(SpectraLayer):
    r"""Scattering spectra of images and fields: moments of wavelet coefficients and their moduli.

    With $U_{j,l} = |x * \psi_{j,l}|$ and $P_{j,l} = \langle U_{j,l}^2 \rangle$, the rows are

    $$\langle x \rangle \quad \langle (x - \langle x \rangle)^2 \rangle \quad P \quad
      \frac{\langle U \rangle}{\sqrt P} \quad
      \frac{\langle (x * \psi_2)(U_1 * \psi_2)^* \rangle}{\sqrt{P_1 P_2}} \quad
      \frac{\langle (U_1 * \psi_3)(U_2 * \psi_3)^* \rangle}{\sqrt{P_1 P_2}}$$

    where ⟨ ⟩ is the mean over the image and 1, 2, 3 stand for (j1, l1), (j2, l2), (j3, l3) with
    j1 ≤ j2 ≤ j3. They are called mean, variance, power, sparsity, phase and modulus. ψ are Morlet
    wavelets of scale 2**j, j = 0..J-1, and angle θ_l, l = 0..L-1, as in `Scattering2D`.

    Args:
        J: log2 of the largest scale, in samples; from 1 to 62.
        L: Number of angles in a half turn, at most 256. There are 4,042 rows for J=5 and L=4, and
            632 with `reduce="angle"`.
        normalize: Whether moments are divided by powers: by those of each image for True, by the
            mean powers of the data that `adapt` has seen for `"adapted"`. False divides by nothing,
            and sparsity is the mean of U. Mean, variance and power are never divided. A power
            within the rounding of the image's mean square makes the ratio 0, so the moments of a
            constant image are zeros.
        reduce: None, or `"angle"` for means over all rotations: of power and sparsity over l, of
            the real parts of phase and modulus over l1 at fixed differences (l2 - l1) mod L and
            (l3 - l1) mod L.
        oversampling: None keeps every sample of the moduli, as the definition does. An integer
            a >= 0 keeps one sample in 2**max(0, j - a) of a modulus of scale j, along each axis. It
            is faster, and the guide has its errors.
        padding: `"periodic"` or `"none"`, which both take the image as periodic as it is, or
            `"reflect"`, `"symmetric"` or `"zero"`. After padding, means run over the image's own
            samples.
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

    Raises:
        ValueError: For an argument with a value not stated here. When the layer is built, also for
            an image with fewer than 2**J rows or columns, of unknown size, or of another rank. When
            it is called with `normalize="adapted"` before `adapt`.

    Metadata (`meta()`): `kind`, `j1`, `j2`, `j3`, `l1`, `l2`, `l3` (-1 for none) and `part` ("real"
    or "imag"). With `reduce="angle"`, l1 is 0 in phase and modulus, and l2, l3 are differences.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import ScatteringSpectra2D
    >>> layer = ScatteringSpectra2D(J=3, reduce="angle")
    >>> x = np.random.default_rng(0).standard_normal((2, 32, 32))
    >>> tuple(layer(x).shape)
    (2, 192)
    >>> layer.meta()["kind"][[0, 1, 2, 5, 8, 32]].tolist()
    ['mean', 'variance', 'power', 'sparsity', 'phase', 'modulus']

    References:
        S. Cheng, R. Morel, E. Allys, B. Ménard and S. Mallat, "Scattering spectra models for
        physics", PNAS Nexus 3(4), 2024 (arXiv 2306.17210).
    """

    rank = 2
    axes = "height, width"

    def __init__(
        self,
        J: int,
        L: int = 4,
        normalize: bool | str = True,
        reduce: str | None = None,
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
        self.oversampling = _validate.optional_natural("oversampling", oversampling)
        self.J = _validate.positive_int("J", J, _validate.LARGEST_J)
        self.L = _validate.second_int("L", L, _validate.LARGEST_COUNT)
        self.reduce = _validate.one_of("reduce", reduce, (None, "angle"))

    def _make_plan(self, size: tuple[int, ...]) -> Plan:
        rows, columns = size
        return plan_spectra2d(
            (rows, columns),
            self.J,
            self.L,
            self.normalize,
            self.reduce,
            self.oversampling,
            self.padding,
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the layer."""
        return {
            **super().get_config(),
            "J": self.J,
            "L": self.L,
            "reduce": self.reduce,
            "oversampling": self.oversampling,
        }

"""Scattering spectra of signals in time."""

from typing import Any

import keras

from keras_scattering import _validate
from keras_scattering.layers.spectra import SpectraLayer
from keras_scattering.plans.plan import Plan
from keras_scattering.plans.spectra1d import plan_spectra1d


@keras.saving.register_keras_serializable(package="keras_scattering")
class ScatteringSpectra1D(SpectraLayer):
    r"""Scattering spectra of signals in time: moments of wavelet coefficients and of their moduli.

    With $U_a = |x * \psi_a| / s_a$, $V_b = (x * \psi_b) / v_b$ and $Y_{a,b} = U_a * \psi_b$, the
    rows are

    $$\langle x * \phi \rangle \quad s_a^2 = \langle |x * \psi_a|^2 \rangle \quad
      \langle U_a \rangle \quad \langle V_b Y_{a,b}^* \rangle \quad
      \langle Y_{a,b} Y_{c,b}^* \rangle$$

    where ⟨ ⟩ is the mean over the signal. They are called mean, power, sparsity, phase and
    modulus. ψ are Morlet wavelets, and b may also be the low-pass φ of scale 2**J. Phase takes all
    b with ξ_b ≤ ξ_a. Modulus takes all c ≤ a, and all b with ξ_b < ξ_c and ξ_b < ξ_a. Power and
    sparsity say how much energy each scale has, and how bursty it is. The imaginary parts are zero
    on average if the signal's law does not change when time runs backwards.

    Args:
        J: log2 of the largest scale, in samples; from 1 to 62.
        Q: Wavelets per octave, of the first order or as a pair of the first and second; at most
            256. The number of rows grows as J**3 Q**2: 482 for J=9 and Q=1, 20,340 for Q=8.
        normalize: Whether moments are divided by powers: by those of each signal for True, by the
            mean powers of the data that `adapt` has seen for `"adapted"`. False divides by nothing.
            Mean and power are never divided. A power within the rounding of the signal's mean
            square makes the ratio 0, so the moments of a constant signal are zeros.
        diagonal: Whether phase takes ξ_b = ξ_a too.
        oversampling: None keeps every sample of the moduli, as the definition does. An integer
            a >= 0 keeps one sample in 2**max(0, j - a) of a modulus of scale j. It is faster, and
            the guide has its errors.
        padding: `"periodic"` or `"none"`, which both take the signal as periodic as it is, or
            `"reflect"`, `"symmetric"` or `"zero"`. After padding, means run over the signal's own
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
        `(batch, time)` or `(batch, time, channels)`; with channels first `(batch, channels, time)`.
        Channels are treated one by one. The layer also takes a single signal without its batch
        axis, where the shape permits no other reading.

    Output shape:
        With K rows, `(batch, K)` or `(batch, channels * K)`. Row k of channel c is at c * K + k.

    Raises:
        ValueError: For an argument with a value not stated here. When the layer is built, also for
            a signal shorter than 2**J, of unknown size, or of another rank. When it is called with
            `normalize="adapted"` before `adapt`.

    Metadata (`meta()`): `kind`, `n1` (a), `n1b` (c), `n2` (b; its largest value is the low-pass),
    `part` ("real" or "imag"), and the centres `xi1`, `xi1b`, `xi2` in cycles/sample.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import ScatteringSpectra1D
    >>> layer = ScatteringSpectra1D(J=5)
    >>> x = np.random.default_rng(0).standard_normal((2, 1024))
    >>> tuple(layer(x).shape)
    (2, 138)
    >>> kind = layer.meta()["kind"]
    >>> layer(x).numpy()[0, kind == "sparsity"].round(1)  # near sqrt(pi) / 2 for Gaussian noise
    array([0.9, 0.9, 0.9, 0.9, 0.9, 0.9], dtype=float32)

    References:
        R. Morel, G. Rochette, R. Leonarduzzi, J.-P. Bouchaud and S. Mallat, "Scale Dependencies and
        Self-Similar Models with Wavelet Scattering Spectra", 2022 (arXiv 2204.10177).
    """

    rank = 1
    axes = "time"

    def __init__(
        self,
        J: int,
        Q: int | tuple[int, int] = 1,
        normalize: bool | str = True,
        diagonal: bool = True,
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
        self._Q = _validate.per_octave("Q", Q, self.J)
        self.Q = self._Q if isinstance(Q, (tuple, list)) else self._Q[0]
        self.diagonal = _validate.boolean("diagonal", diagonal)

    def _make_plan(self, size: tuple[int, ...]) -> Plan:
        (N,) = size
        return plan_spectra1d(
            N, self.J, self._Q, self.normalize, self.diagonal, self.oversampling, self.padding
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the layer."""
        return {
            **super().get_config(),
            "J": self.J,
            "Q": self.Q,
            "diagonal": self.diagonal,
            "oversampling": self.oversampling,
        }

"""Covariances of wavelet phase harmonics of signals in time."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_scattering import _validate
from keras_scattering.layers.covariances import CovarianceLayer, classes_of_moments
from keras_scattering.plans.phase import DEFAULT_CLASSES
from keras_scattering.plans.phase1d import plan_phase_harmonics1d
from keras_scattering.plans.plan import Plan


@keras.saving.register_keras_serializable(package="keras_scattering")
class PhaseHarmonics1D(CovarianceLayer):
    r"""Covariances of wavelet phase harmonics of signals in time.

    The harmonic of order k multiplies the phase of a complex number,
    $[z]^k = |z| e^{i k \arg z}$, so $[z]^0 = |z|$ and $[z]^1 = z$. With $W_a = x * \psi_a$ the rows
    are

    $$C_{a,p;b,q}(\tau) = \frac{\big\langle ([W_a(u)]^p - \langle [W_a]^p \rangle) \,
      ([W_b(u + \tau)]^q - \langle [W_b]^q \rangle)^* \big\rangle}{\sqrt{P_a P_b}},
      \qquad P_a = \langle |W_a - \langle W_a \rangle|^2 \rangle$$

    where ⟨ ⟩ is the mean over the signal. The classes are those of `PhaseHarmonics2D`: `"S11"`,
    `"S00"` and `"S01"` compare a wavelet with itself, `"C00"` and `"C01"` all pairs with
    ξ_b < ξ_a. `"Cphase"` takes the pairs whose ratio of frequencies is a power of two, q, with
    p = 1. `"L"` compares low-passes of scales 2**j, j = 0..J-1, and their moduli. S11, S00, C01 and
    Cphase have shifts.

    Args:
        J: log2 of the largest scale, in samples; from 1 to 62.
        Q: Wavelets per octave, at most 256.
        moments: The classes, a sequence or one name: `"mean"`, `"S11"`, `"S00"`, `"C00"`, `"S01"`,
            `"C01"`, `"Cphase"` and `"L"`. Their order has no effect on the rows.
        dj: Largest distance of two wavelets, in octaves; at least 0. None for all.
        dn: Number of lengths of shifts: 2**n samples for n = 1..dn, later and, in C01 and Cphase,
            earlier. 2**dn is at most half of the signal.
        normalize: Whether covariances are divided by powers: by those of each signal for True, by
            the mean powers of the data that `adapt` has seen for `"adapted"`. False divides by
            nothing. L is divided by the power of its low-pass. The powers themselves, which are S11
            without shift and L with p = q = 1, are never divided, nor is the mean. A power within
            the rounding of the signal's mean square makes the ratio 0, so all covariances of a
            constant signal are zeros.
        oversampling: None keeps every sample, as the definition does. An integer a >= 0 keeps one
            sample in 2**max(0, j - a), with j the first wavelet's, as far as this divides the
            signal's size and the shift. It is faster. It needs a periodic signal.
        padding: `"periodic"` or `"none"`, which both take the signal as periodic as it is, or
            `"reflect"`, `"symmetric"` or `"zero"`. After padding, means run over the signal's own
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
        `(batch, time)` or `(batch, time, channels)`; with channels first `(batch, channels, time)`.
        Channels are treated one by one. The layer also takes a single signal without its batch
        axis, where the shape permits no other reading.

    Output shape:
        With K rows, `(batch, K)` or `(batch, channels * K)`. Row k of channel c is at c * K + k.
        J=9 gives 220 rows.

    Raises:
        ValueError: For an argument with a value not stated here. When the layer is built, also for
            a signal shorter than 2**J, of unknown size, or of another rank. When it is called with
            `normalize="adapted"` before `adapt`.

    Metadata (`meta()`): `kind` (the class), `n1`, `p1`, `n2`, `p2` (filters, p and q; low-passes in
    L), `tau` in samples, `part` ("real" or "imag"), and the centres `xi1` and `xi2` in
    cycles/sample.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import PhaseHarmonics1D
    >>> layer = PhaseHarmonics1D(J=5)
    >>> x = np.random.default_rng(0).standard_normal((2, 1024))
    >>> tuple(layer(x).shape)
    (2, 84)

    References:
        S. Mallat, S. Zhang and G. Rochette, "Phase harmonic correlations and convolutional neural
        networks", 2018 (arXiv 1810.12136).
    """

    rank = 1
    axes = "time"

    def __init__(
        self,
        J: int,
        Q: int = 1,
        moments: str | Sequence[str] = DEFAULT_CLASSES,
        dj: int | None = None,
        dn: int = 0,
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
        self.Q = _validate.positive_int("Q", Q, _validate.LARGEST_COUNT)
        _validate.per_octave("Q", self.Q, self.J)
        self.moments = classes_of_moments(moments)
        self.dj = _validate.optional_natural("dj", dj)
        self.dn = _validate.natural("dn", dn)
        self.oversampling = self._periodic_oversampling(oversampling)

    def _make_plan(self, size: tuple[int, ...]) -> Plan:
        (N,) = size
        return plan_phase_harmonics1d(
            N,
            self.J,
            self.Q,
            self.moments,
            self.dj,
            self.dn,
            self.normalize,
            self.oversampling,
            self.padding,
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the layer."""
        return {
            **super().get_config(),
            "J": self.J,
            "Q": self.Q,
            "moments": self.moments,
            "dj": self.dj,
            "dn": self.dn,
            "oversampling": self.oversampling,
        }

"""Scattering of signals in time."""

from typing import Any

import keras

from keras_scattering import _validate
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.plans.plan import Plan
from keras_scattering.plans.scattering1d import plan_scattering1d


@keras.saving.register_keras_serializable(package="keras_scattering")
class Scattering1D(ScatteringLayer):
    r"""Wavelet scattering of signals in time: stable to deformation, nothing to train.

    $$S_0 x = x * \phi \quad S_1 x(n_1) = |x * \psi_{n_1}| * \phi \quad
      S_2 x(n_1, n_2) = ||x * \psi_{n_1}| * \psi_{n_2}| * \phi$$

    with Morlet wavelets ψ of centre frequency ξ and width σ, for all n1, and for all
    (n1, n2) whose scales satisfy j2 > j1. φ is a Gaussian low-pass with a deviation in time of
    T / (0.2 π) samples. Convolutions are periodic on the padded signal. The wavelets have unit l1
    norm, so |S x| never exceeds max |x|.

    Args:
        J: log2 of the largest scale, in samples; from 1 to 62.
        Q: Wavelets per octave, of the first order or as a pair of the first and second; at most
            256.
        T: Scale of the average in samples, which sets the width of its Gaussian window: 1.6 T is
            one standard deviation, 3.7 T the width at half height. `T` is a number from 1 to the
            signal's size, None for 2**J, or 0 for no average. `"global"` takes the mean over the
            whole padded signal. `"signal"` takes the mean of the output of `T=0` over the samples
            of the signal alone.
        stride: Step between output samples, a power of two of at most 2**floor(log2 T). None takes
            the largest.
        max_order: 1 or 2.
        padding: Kind of padding beyond the signal's ends: `"reflect"` (the end samples not
            repeated), `"symmetric"` (repeated), `"zero"`, `"periodic"` (to the next multiple of
            2**J), or `"none"`. `"none"` treats the signal as periodic and trims nothing; the
            signal's size must be a multiple of 2**J.
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
        `(batch, time)` or `(batch, time, channels)`; with channels first `(batch, channels, time)`.
        The layer also takes a single signal without its batch axis, where the shape permits no
        other reading, as in `dataset.map(layer)` before batching.

    Output shape:
        With K paths, `(batch, time', K)` or `(batch, time', channels * K)`. Path k of channel c is
        at c * K + k. With channels first, channels and paths come before time. For `T="global"` and
        `"signal"`, `(batch, K)` or `(batch, channels * K)`. For `T=0` a list with one tensor per
        path, `(batch, time_j)` or `(batch, time_j, channels)`, sampled every 2**j samples.

    Raises:
        ValueError: For an argument with a value not stated here. When the layer is built, also for
            a signal shorter than 2**J or than T, of unknown size, or of another rank.

    Metadata (`meta()`): `order`, `n1`, `j1`, `xi1`, `sigma1`, `n2`, `j2`, `xi2`, `sigma2`.
    Frequencies and widths are in cycles/sample. `meta(sampling_rate)` adds Hz and seconds.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import Scattering1D
    >>> layer = Scattering1D(J=6, Q=8)
    >>> y = layer(np.random.default_rng(0).standard_normal((2, 1024)))
    >>> tuple(y.shape)
    (2, 16, 126)
    >>> round(float(layer.meta()["xi1"][1]), 4)  # the highest frequency, in cycles/sample
    0.4354
    >>> round(float(layer.meta(sampling_rate=16000)["xi1_hz"][1]))  # and in Hz
    6966

    References:
        J. Andén and S. Mallat, "Deep Scattering Spectrum", IEEE Transactions on Signal Processing
        62(16), 2014. M. Andreux et al., "Kymatio: Scattering Transforms in Python", JMLR 21(60),
        2020, for the constants of the filters.
    """

    rank = 1
    axes = "time"

    def __init__(
        self,
        J: int,
        Q: int | tuple[int, int] = 1,
        T: float | str | None = None,
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
        self._Q = _validate.per_octave("Q", Q, self.J)
        self.Q = self._Q if isinstance(Q, (tuple, list)) else self._Q[0]
        self.T = _validate.support("T", T, _validate.MEANS)
        self.stride = _validate.step("stride", stride, "T", self.T, self.J)
        self.max_order = _validate.one_of("max_order", max_order, (1, 2))
        self.padding = _validate.one_of("padding", padding, _validate.PADDINGS)

    def _make_plan(self, size: tuple[int, ...]) -> Plan:
        (N,) = size
        return plan_scattering1d(
            N, self.J, self._Q, self.T, self.stride, self.max_order, self.padding
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the layer."""
        return {
            **super().get_config(),
            "J": self.J,
            "Q": self.Q,
            "T": self.T,
            "stride": self.stride,
            "max_order": self.max_order,
            "padding": self.padding,
        }

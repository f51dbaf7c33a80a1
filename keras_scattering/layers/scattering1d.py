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

    with Morlet wavelets psi of centre frequency xi and width sigma, all n1, and all (n1, n2) whose
    scales satisfy j2 > j1; phi is a Gaussian low-pass, whose deviation in time is T / (0.2 pi)
    samples. Convolutions are periodic on the padded signal. Wavelets are normalised in l1, so that
    |S x| never exceeds max |x|.

    Args:
        J: log2 of the largest scale, in samples; from 1 to 62.
        Q: Wavelets an octave, of the first order or as a pair of the first and second; at most
            256.
        T: Scale of the average in samples, which sets the width of its Gaussian window: 1.6 T is
            one standard deviation, 3.7 T the width at half height. A number from 1 to the signal's
            size, None for 2**J, `"global"` for the mean over the whole padded signal, `"signal"`
            for the mean over the signal alone (of what `T=0` returns), or 0 for no average.
        stride: Step between output samples, a power of two of at most 2**floor(log2 T), which is
            what None stands for.
        max_order: 1 or 2.
        padding: How the signal goes on beyond its ends: `"reflect"` (the end samples not
            repeated), `"symmetric"` (repeated), `"zero"`, `"periodic"` (to the next multiple of
            2**J), or `"none"`: the signal is taken as periodic, its size a multiple of 2**J, and
            nothing is trimmed.
        data_format: `"channels_last"` or `"channels_first"`; None for Keras' setting.
        **kwargs: Of `keras.layers.Layer`. With `dtype="float64"` all is computed in double
            precision; under a mixed policy in float32, and returned in the compute dtype. And
            `jit_compile`: True to compute by XLA, side by side on all cores, which is faster and
            takes some seconds at the first call and for each new size of the batch; False by
            default, since servers may refuse what XLA must compile. `fft`: `"matrix"` to transform
            by real matrix products, for LiteRT and ONNX, which have no FFTs of complex signals;
            `"native"`, the default, is faster for batches, and what to train with.

    Input shape:
        `(batch, time)` or `(batch, time, channels)`; with channels first `(batch, channels, time)`.
        A single signal without its batch axis is taken as such where no other reading is
        possible, as in `dataset.map(layer)` before batching.

    Output shape:
        With K paths, `(batch, time', K)` or `(batch, time', channels * K)`, path k of channel c at
        c * K + k; channels and paths come before time with channels first. For `T="global"`
        and `"signal"`, `(batch, K)` or `(batch, channels * K)`. For `T=0` a list with one tensor a
        path, `(batch, time_j)` or `(batch, time_j, channels)`, sampled every 2**j samples.

    Raises:
        ValueError: For an argument outside of what is stated here; and, when the layer is built,
            for a signal shorter than 2**J or than T, of unknown size, or of another rank.

    Metadata (`meta()`): `order`, `n1`, `j1`, `xi1`, `sigma1`, `n2`, `j2`, `xi2`, `sigma2`;
    frequencies and widths in cycles/sample, with `meta(sampling_rate)` in Hz and seconds too.

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
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.J = _validate.positive_int("J", J, _validate.LARGEST_J)
        self._Q = _validate.int_or_pair("Q", Q)
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
        """The arguments the layer was made with."""
        return {
            **super().get_config(),
            "J": self.J,
            "Q": self.Q,
            "T": self.T,
            "stride": self.stride,
            "max_order": self.max_order,
            "padding": self.padding,
        }

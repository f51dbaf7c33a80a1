"""Joint time-frequency scattering."""

from typing import Any

import keras

from keras_scattering import _validate
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.plans.plan import Plan
from keras_scattering.plans.time import TimeAxis
from keras_scattering.plans.timefrequency import log_frequency, plan_timefrequency


@keras.saving.register_keras_serializable(package="keras_scattering")
class TimeFrequencyScattering(ScatteringLayer):
    r"""Joint time-frequency scattering: tells whether a pattern rises or falls in frequency.

    $$S_1 x(n_{fr}) = |(|x * \psi_{n_1}| * \phi_T) \circledast \psi_{n_{fr}}| \quad
      S_2 x(n_2, n_{fr}) = ||x * \psi_{n_1}| * \psi_{n_2} \circledast \psi_{n_{fr}}| * \phi_T
      \circledast \phi_F$$

    where * convolves in time, and the circled star convolves along the log-frequency axis of the
    first-order wavelets n1. The filters along frequency are a low-pass (n_fr = 0, spin 0) and
    Morlet wavelets of both signs. Spin +1 responds to rising patterns, and spin -1 to falling
    patterns. φ_F averages paths of spin +1 and -1 along frequency, but not paths of spin 0. φ_T and
    φ_F are Gaussians of deviation T / (0.2 π) samples and F / (0.2 π) wavelets.

    Args:
        J: log2 of the largest scale in time, in samples; from 1 to 62.
        J_fr: log2 of the largest scale along frequency, in first-order wavelets; from 1 to 16.
        Q: Wavelets per octave in time, of the first order or as a pair; at most 256.
        T: Scale of the average in time, in samples, which sets the width of its Gaussian window as
            in `Scattering1D`. `T` is a number from 1 to the signal's size, None for 2**J, or 0 for
            no average. `"global"` takes the mean over the whole padded signal. `"signal"` takes the
            mean of the output of `T=0` over the samples of the signal alone.
        stride: Output step in time, a power of two of at most 2**floor(log2 T). None takes the
            largest.
        Q_fr: Wavelets per octave along frequency, at most 256.
        F: Scale of the average along frequency, in first-order wavelets: a number from 1 to
            2**J_fr, None for 2**J_fr, or 0 for no average. `"global"` takes the mean over the whole
            padded axis.
        stride_fr: Output step along frequency, a power of two of at most 2**floor(log2 F). None
            takes the largest.
        format: `"time"` puts the samples along frequency into the axis of paths. `"joint"` returns
            each path as an image over time and log-frequency. It needs a local `F`, and leaves out
            order 0.
        padding: Kind of padding beyond the signal's ends, as in `Scattering1D`. A reflection runs
            backwards and swaps the spins. The mean over the padded signal (`T="global"`) includes
            it. There `padding="zero"`, or `T="signal"`, tells rising from falling better.
        data_format: `"channels_last"` or `"channels_first"`; None for Keras' setting.
        J_oct: log2 of the largest scale across octaves, in octaves; from 1 to 16. Each filter along
            frequency is then followed by each of a second bank, from octave to octave at the same
            chroma: the pitch spiral. It needs Q of at least 2. Only constant-Q wavelets are octaves
            apart, not the Q - 1 linearly spaced ones at the bottom. None for no such filters.
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
        other reading.

    Output shape:
        `format="time"`: `(batch, time', K)` or `(batch, time', channels * K)`.
        `format="joint"`: `(batch, time', frequency', K)` or with channels * K, ready for `Conv2D`.
        Path k of channel c is at c * K + k. With channels first, the axis of paths is the second.
        For `T="global"` and `"signal"` there is no time axis. For `T=0` the output is a list with
        one tensor per path, each sampled at its own step.

    Raises:
        ValueError: For an argument with a value not stated here. Also if the first-order wavelets
            do not fit on the frequency axis, of floor(((J + 1) Q + 8 F) / 2**J_fr) 2**J_fr samples.
            When the layer is built, also for a signal shorter than 2**J or than T, of unknown size,
            or of another rank.

    Metadata (`meta()`): the columns of `Scattering1D`, and `n_fr`, `xi_fr`, `sigma_fr` (cycles per
    first-order wavelet), `j_fr`, `spin`. `n1` is the position along frequency, or -1 for images.
    With `J_oct` there are `n_oct`, `xi_oct` and `sigma_oct` (cycles per octave), and `spin_oct`.
    The columns of its wavelet are missing where `n1` stands for a mean. `meta(sampling_rate)` adds
    columns in Hz for those in cycles/sample, and scales in seconds.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import TimeFrequencyScattering
    >>> layer = TimeFrequencyScattering(J=6, J_fr=2, Q=8, format="joint")
    >>> tuple(layer(np.ones((1, 1024))).shape)
    (1, 16, 22, 32)
    >>> sorted(set(layer.meta()["spin"].tolist()))
    [-1, 0, 1]

    References:
        J. Andén, V. Lostanlen, S. Mallat, "Joint Time-Frequency Scattering", IEEE Transactions on
        Signal Processing 67(14), 2019. V. Lostanlen and S. Mallat, "Wavelet scattering on the pitch
        spiral", DAFx 2015, for `J_oct`.
    """

    rank = 1
    axes = "time"

    def __init__(
        self,
        J: int,
        J_fr: int,
        Q: int | tuple[int, int] = 1,
        T: float | str | None = None,
        stride: int | None = None,
        Q_fr: int = 1,
        F: float | str | None = None,
        stride_fr: int | None = None,
        format: str = "time",
        padding: str = "reflect",
        data_format: str | None = None,
        J_oct: int | None = None,
        *,
        jit_compile: bool = False,
        fft: str = "native",
        **kwargs: Any,
    ):
        super().__init__(data_format, jit_compile=jit_compile, fft=fft, **kwargs)
        self.J = _validate.positive_int("J", J, _validate.LARGEST_J)
        self.J_fr = _validate.second_int("J_fr", J_fr, _validate.LARGEST_J_FR)
        self._Q = _validate.per_octave("Q", Q, self.J)
        self.Q = self._Q if isinstance(Q, (tuple, list)) else self._Q[0]
        self.T = _validate.support("T", T, _validate.MEANS)
        self.stride = _validate.step("stride", stride, "T", self.T, self.J)
        self.Q_fr = _validate.positive_int("Q_fr", Q_fr, _validate.LARGEST_COUNT)
        self.F = _validate.support("F", F, ("global",), 2**self.J_fr, "2**J_fr")
        self.stride_fr = _validate.step("stride_fr", stride_fr, "F", self.F, self.J_fr)
        self.format = _validate.one_of("format", format, ("time", "joint"))
        self.padding = _validate.one_of("padding", padding, _validate.PADDINGS)
        self.J_oct = None
        if J_oct is not None:
            self.J_oct = _validate.positive_int("J_oct", J_oct, _validate.LARGEST_J_FR)
            if self._Q[0] < 2:
                raise ValueError(
                    "Argument `J_oct` needs several wavelets per octave in time, Q of at least 2. "
                    f"Received: J_oct={J_oct}, Q={self.Q}"
                )
        self._frequency = log_frequency(
            self.J, self._Q[0], self.J_fr, self.Q_fr, self.F, self.stride_fr, self.J_oct
        )
        if self.format == "joint" and not self._frequency.local:
            raise ValueError(
                "Argument `format='joint'` needs a local average along frequency: `F` None or at "
                f"least 1. Received: F={F!r}"
            )

    def _make_plan(self, size: tuple[int, ...]) -> Plan:
        (N,) = size
        time = TimeAxis(N, self.J, self.T, self.stride, self.padding)
        return plan_timefrequency(time, self._frequency, self._Q, self.format == "joint")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the layer."""
        return {
            **super().get_config(),
            "J": self.J,
            "J_fr": self.J_fr,
            "Q": self.Q,
            "T": self.T,
            "stride": self.stride,
            "Q_fr": self.Q_fr,
            "F": self.F,
            "stride_fr": self.stride_fr,
            "format": self.format,
            "padding": self.padding,
            "J_oct": self.J_oct,
        }

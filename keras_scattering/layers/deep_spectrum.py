"""The deep scattering spectrum of signals and images."""

from typing import Any

import keras

from keras_scattering import _validate
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.layers.scattering1d import Scattering1D
from keras_scattering.layers.scattering2d import Scattering2D
from keras_scattering.plans.deep import FrequencyScattering, plan_deep_spectrum
from keras_scattering.plans.plan import Plan


@keras.saving.register_keras_serializable(package="keras_scattering")
class DeepScatteringSpectrum(ScatteringLayer):
    r"""Scattering coefficients, each order divided by the one before, as logarithms.

    $$\tilde S_0 = |x| * \phi, \qquad
      \tilde S_1(n_1) = \frac{S_1(n_1)}{|x| * \phi + \epsilon}, \qquad
      \tilde S_2(n_1, n_2) = \frac{S_2(n_1, n_2)}{S_1(n_1) + \epsilon}$$

    and then $\log(\tilde S + \epsilon)$. Row 0 holds the loudness, which all other rows lose; a
    change of timbre or of a filter in front moves order 1 only. With `J_fr`, tables along
    log-frequency are scattered once more, by wavelets along n1:

    $$X * \phi_F, \qquad |X * \psi_a| * \phi_F, \qquad ||X * \psi_a| * \psi_b| * \phi_F$$

    where X is order 1, or order 2 at one n2. A transposition moves X along n1, so it changes these
    less, the wider φ_F is.

    Args:
        scattering: A `Scattering1D` or `Scattering2D` with an average (`T` not 0). Its arguments
            are copied: it needs no building, and nothing of it is changed.
        epsilon: What is added to divisors and to what logarithms are taken of; a positive number,
            in units of the signal.
        normalize: Whether orders are divided. False leaves row 0 at S0.
        log: Whether logarithms are taken.
        J_fr: log2 of the largest scale along frequency, in first-order wavelets, from 1 to 16, for
            `Scattering1D`. None for no scattering along frequency.
        Q_fr: Wavelets per octave along frequency, at most 256.
        F: Scale of the average along frequency, in first-order wavelets: a number from 1 to
            2**J_fr, None for 2**J_fr, or `"global"` for the mean over the table.
        stride_fr: Output step along frequency, a power of two of at most 2**floor(log2 F); None
            for the largest.
        max_order_fr: Largest order along frequency, 1 or 2.
        jit_compile: Whether XLA compiles the layer. None takes the inner layer's.
        fft: `"native"` or `"matrix"`, as in the inner layer. None takes the inner layer's.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`. With `dtype="float64"` the
            layer computes in double precision. Under a mixed policy it computes in float32, and
            returns the compute dtype.

    Input shape:
        That of the inner layer.

    Output shape:
        That of the inner layer, with K rows in place of its paths: as many as it has without
        `J_fr`.

    Raises:
        ValueError: For an argument with a value not stated here, for arguments of scattering along
            frequency without `J_fr`, and if nothing is to be done. When the layer is built, also
            for what the inner layer refuses.

    Metadata (`meta()`): the inner layer's columns, and `n_fr` and `n_fr2` (the filters along
    frequency, from 1; 0 for the low-pass, -1 for none), `xi_fr` and `sigma_fr` in cycles per
    first-order wavelet, and `j_fr`. With `J_fr`, `n1` is the position along frequency, -1 for a
    mean.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import DeepScatteringSpectrum, Scattering1D
    >>> layer = DeepScatteringSpectrum(Scattering1D(J=6, Q=8), epsilon=1e-6)
    >>> x = np.random.default_rng(0).standard_normal((1, 1024))
    >>> y, louder = layer(x).numpy(), layer(1000 * x).numpy()
    >>> y.shape
    (1, 16, 126)
    >>> [f"{change:.2f}" for change in (louder - y).mean((0, 1))[:3]]  # log(1000), then nothing
    ['6.91', '0.00', '0.00']

    References:
        J. Andén and S. Mallat, "Deep Scattering Spectrum", IEEE Transactions on Signal Processing
        62(16), 2014.
    """

    rank = 1  # each layer has its inner layer's
    axes = "time"

    def __init__(
        self,
        scattering: ScatteringLayer,
        epsilon: float = 2**-20,
        normalize: bool = True,
        log: bool = True,
        J_fr: int | None = None,
        Q_fr: int = 1,
        F: float | str | None = None,
        stride_fr: int | None = None,
        max_order_fr: int = 1,
        *,
        jit_compile: bool | None = None,
        fft: str | None = None,
        **kwargs: Any,
    ):
        if not isinstance(scattering, (Scattering1D, Scattering2D)) or scattering.T == 0:
            raise ValueError(
                "Argument `scattering` must be a Scattering1D or a Scattering2D with an average, "
                f"`T` not 0. Received: scattering={_validate.shown(scattering)}"
            )
        self.rank, self.axes = scattering.rank, scattering.axes
        super().__init__(
            scattering.data_format,
            jit_compile=scattering.jit_compile if jit_compile is None else jit_compile,
            fft=scattering.fft if fft is None else fft,
            **kwargs,
        )
        self.scattering = scattering
        self.epsilon = _validate.positive("epsilon", epsilon)
        self.normalize = _validate.boolean("normalize", normalize)
        self.log = _validate.boolean("log", log)
        self.J_fr, self.Q_fr, self.F = J_fr, Q_fr, F
        self.stride_fr, self.max_order_fr = stride_fr, max_order_fr
        self._frequency = self._along_frequency()

    def _along_frequency(self) -> FrequencyScattering | None:
        """Scattering along frequency, after checks of its arguments."""
        given = {
            "Q_fr": (self.Q_fr, 1),
            "F": (self.F, None),
            "stride_fr": (self.stride_fr, None),
            "max_order_fr": (self.max_order_fr, 1),
        }
        if self.J_fr is None:
            for name, (value, default) in given.items():
                if value != default:
                    raise ValueError(
                        f"Argument `{name}` belongs to scattering along frequency, which needs "
                        f"`J_fr`. Received: {name}={_validate.shown(value)}, J_fr=None"
                    )
            if not (self.normalize or self.log):
                raise ValueError(
                    "Arguments `normalize` and `log` are both False, and `J_fr` is None, so there "
                    "is nothing to do: use the inner layer. Received: normalize=False, log=False"
                )
            return None
        if not isinstance(self.scattering, Scattering1D):
            raise ValueError(
                "Argument `J_fr` needs a `Scattering1D`, whose first-order wavelets make an axis "
                f"of frequency. Received: J_fr={_validate.shown(self.J_fr)}, scattering="
                f"{_validate.shown(self.scattering)}"
            )
        self.J_fr = _validate.positive_int("J_fr", self.J_fr, _validate.LARGEST_J_FR)
        self.Q_fr = _validate.positive_int("Q_fr", self.Q_fr, _validate.LARGEST_COUNT)
        self.F = _validate.support("F", self.F, ("global",), 2**self.J_fr, "2**J_fr")
        if self.F == 0:
            raise ValueError(
                "Argument `F` must be None, 'global', or a number of at least 1. "
                f"Received: F={self.F}"
            )
        self.stride_fr = _validate.step("stride_fr", self.stride_fr, "F", self.F, self.J_fr)
        self.max_order_fr = _validate.one_of("max_order_fr", self.max_order_fr, (1, 2))
        F = 2.0**self.J_fr if self.F is None else self.F
        return FrequencyScattering(self.J_fr, self.Q_fr, F, self.stride_fr, self.max_order_fr)

    def _make_plan(self, size: tuple[int, ...]) -> Plan:
        inner = self.scattering._make_plan(size)
        return plan_deep_spectrum(inner, self.epsilon, self.normalize, self.log, self._frequency)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "DeepScatteringSpectrum":
        """The layer that `get_config` describes."""
        inner = config.get("scattering")
        if isinstance(inner, dict):
            config = {**config, "scattering": keras.saving.deserialize_keras_object(inner)}
        return super().from_config(config)  # type: ignore[return-value]

    def get_config(self) -> dict[str, Any]:
        """The arguments of the layer."""
        config = super().get_config()
        config.pop("data_format")  # the inner layer has it
        return {
            **config,
            "scattering": keras.saving.serialize_keras_object(self.scattering),
            "epsilon": self.epsilon,
            "normalize": self.normalize,
            "log": self.log,
            "J_fr": self.J_fr,
            "Q_fr": self.Q_fr,
            "F": self.F,
            "stride_fr": self.stride_fr,
            "max_order_fr": self.max_order_fr,
        }

"""Joint time-frequency scattering."""

from typing import Any

import keras

from keras_scattering import _validate
from keras_scattering._layer import ScatteringLayer
from keras_scattering.plans.plan import Plan
from keras_scattering.plans.scattering1d import TimeAxis
from keras_scattering.plans.timefrequency import FrequencyAxis, plan_timefrequency


@keras.saving.register_keras_serializable(package="keras_scattering")
class TimeFrequencyScattering(ScatteringLayer):
    """d"""

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
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.J = _validate.positive_int("J", J)
        self.J_fr = _validate.positive_int("J_fr", J_fr)
        self._Q = _validate.int_or_pair("Q", Q)
        self.Q = self._Q if isinstance(Q, (tuple, list)) else self._Q[0]
        self.T = _validate.support("T", T)
        self.stride = _validate.step("stride", stride, "T", self.T, self.J)
        self.Q_fr = _validate.positive_int("Q_fr", Q_fr)
        self.F = _validate.support("F", F, limit=2**self.J_fr, limit_name="2**J_fr")
        self.stride_fr = _validate.step("stride_fr", stride_fr, "F", self.F, self.J_fr)
        self.format = _validate.one_of("format", format, ("time", "joint"))
        self.padding = _validate.one_of("padding", padding, _validate.PADDINGS)
        self._frequency = FrequencyAxis(
            self.J, self._Q[0], self.J_fr, self.Q_fr, self.F, self.stride_fr
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
        """The arguments the layer was made with."""
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
        }

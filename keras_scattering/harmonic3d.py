"""Solid harmonic scattering of volumes."""

from typing import Any

import keras
import tensorflow as tf

from keras_scattering import _validate
from keras_scattering._layer import ScatteringLayer
from keras_scattering.plans.harmonic3d import plan_harmonic3d
from keras_scattering.plans.plan import Plan


@keras.saving.register_keras_serializable(package="keras_scattering")
class HarmonicScattering3D(ScatteringLayer):
    """d"""

    rank = 3
    axes = "depth, height, width"

    def __init__(
        self,
        J: int,
        L: int = 3,
        sigma_0: float = 1.0,
        max_order: int = 2,
        rotation_covariant: bool = True,
        integral_powers: tuple[float, ...] = (0.5, 1.0, 2.0),
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.J = _validate.positive_int("J", J)
        self.L = _validate.positive_int("L", L)
        self.sigma_0 = _validate.positive("sigma_0", sigma_0)
        self.max_order = _validate.one_of("max_order", max_order, (1, 2))
        self.rotation_covariant = _validate.boolean("rotation_covariant", rotation_covariant)
        self.integral_powers = _validate.positives("integral_powers", integral_powers)

    def _make_plan(self, size: tuple[int, ...]) -> Plan:
        depth, height, width = size
        return plan_harmonic3d(
            (depth, height, width),
            self.J,
            self.L,
            self.sigma_0,
            self.max_order,
            self.rotation_covariant,
            self.integral_powers,
        )

    def _arrange(self, y: tf.Tensor) -> tf.Tensor:
        """Rows are paths by degrees, and powers come last."""
        powers, paths, degrees = self._plan.outputs[0]
        return tf.transpose(tf.reshape(y, (-1, paths, degrees, powers)), (0, 3, 1, 2))

    def get_config(self) -> dict[str, Any]:
        """The arguments the layer was made with."""
        return {
            **super().get_config(),
            "J": self.J,
            "L": self.L,
            "sigma_0": self.sigma_0,
            "max_order": self.max_order,
            "rotation_covariant": self.rotation_covariant,
            "integral_powers": self.integral_powers,
        }

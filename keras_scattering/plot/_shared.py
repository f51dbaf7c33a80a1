"""Helpers of all pictures: axes, units, and coefficients of one signal."""

from typing import Any, cast

import numpy as np
from matplotlib import pyplot as plt

from keras_scattering import _validate
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.plans.time import TimeAxis

HEAT = "magma"


def axes_or_new(axes: Any, count: int | None = None) -> Any:
    """The given axes, or those of a new figure: one axes, or an array of `count`."""
    if count is None:
        return plt.subplots(layout="constrained")[1] if axes is None else axes
    if axes is None:
        size = (5.5 * count, 4.5)
        return plt.subplots(1, count, figsize=size, layout="constrained", squeeze=False)[1][0]
    axes = np.ravel(np.asarray(axes, object))
    if len(axes) != count:
        raise ValueError(f"Argument `axes` must hold {count} axes. Received: {len(axes)}")
    return axes


def need(layer: Any, function: str, kinds: tuple[type, ...]) -> None:
    """Refuse a layer of another kind, and a layer that is not built."""
    if not isinstance(layer, kinds):
        names = ", ".join(kind.__name__ for kind in kinds)
        raise ValueError(
            f"Argument `layer` of {function}() must be one of {names}. "
            f"Received: {_validate.shown(layer)}"
        )
    layer._built(f"{function}()")


def rate_and_unit(layer: ScatteringLayer, sampling_rate: float | None) -> tuple[float, str]:
    """Samples per unit of time, and the unit of frequency."""
    if sampling_rate is None:
        return 1.0, "cycles/sample"
    layer.meta(sampling_rate)  # refuses bad rates
    return float(sampling_rate), "Hz"


def time_axis(layer: ScatteringLayer) -> TimeAxis:
    """The padded time axis of a built layer."""
    return cast(TimeAxis, layer._built("plot").plan.grid)


def of_one_signal(layer: ScatteringLayer, coefficients: Any) -> np.ndarray:
    """Coefficients of one signal, with the paths last; refuses other shapes."""
    built = layer._built("plot")
    if not built.plan.stacked:
        raise ValueError(
            "Pictures need an average: T None, a number, 'global' or 'signal'. Received: T=0"
        )
    paths, *size = built.plan.outputs[0]
    first = layer.data_format == "channels_first"
    allowed = (paths, *size) if first else (*size, paths)
    y = np.asarray(coefficients, "float64")
    if y.shape != allowed:
        raise ValueError(
            "Argument `coefficients` must be those of one signal without channels, of shape "
            f"{allowed}. Received: shape {y.shape}"
        )
    return np.moveaxis(y, 0, -1) if first else y


def number(x: float) -> str:
    """A number with three digits, and with a minus sign in place of a hyphen."""
    return (f"{x:.3g}" if abs(x) < 1000 else f"{x:.0f}").replace("-", "−")


def degrees(angle: float) -> str:
    """An angle in radians, as a label in degrees."""
    return f"{number(np.degrees(angle))}°"

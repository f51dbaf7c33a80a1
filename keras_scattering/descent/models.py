"""Copies of a layer for data and for new signals, which may differ in size."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_scattering import _validate
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.layers.spectra import SpectraLayer
from keras_scattering.plans.plan import Domain

_BATCH = 8  # signals whose moments are computed at once
Powers = dict[str, Any]
"""What `adapt` has stored in a layer; empty if it divides by no powers of data."""


def refuse_local(layer: ScatteringLayer) -> None:
    """Refuse a built layer that says where things are."""
    plan = layer._built("synthesize()").plan
    if not plan.stacked or (plan.domain is not Domain.SOLID and len(plan.outputs[0]) > 1):
        raise ValueError(
            "Argument `layer` must give means over whole signals: scattering spectra, covariances, "
            "solid harmonic scattering, or a scattering with `T='global'`. For coefficients with "
            "an axis of positions or frequencies, take `reconstruct`. "
            f"Received: layer {layer.name!r} with outputs of shape {plan.outputs[0]}"
        )


def refuse_extended(layer: ScatteringLayer) -> None:
    """Refuse signals that a built layer would extend, since these are to be circles."""
    built = layer._built("synthesize()")
    plan, size = built.plan, built.shape[1:]
    if plan.grid is not None and plan.grid.padded != layer._signals.size(built.shape):
        raise ValueError(
            "Argument `shape` must be of signals that are circles as they are, of sizes such as "
            f"{plan.grid.padded}: {type(layer).__name__} extends others. Received: shape={size}"
        )


def copy(layer: ScatteringLayer, shape: tuple[int, ...], powers: Powers, **changes: Any) -> Any:
    """A layer like another, built for signals of a shape, with the powers of data."""
    config = layer.get_config()
    config |= {name: value for name, value in changes.items() if name in config}
    made = type(layer).from_config(config)
    made.build((None, *shape))
    if powers:
        try:
            made.load_own_variables(powers)
        except ValueError as error:
            raise ValueError(
                "Argument `layer` must have adapted to signals with as many channels. Received: "
                f"layer {layer.name!r}, adapted, and signals of shape {shape}"
            ) from error
    return made


def powers_of(layer: Any) -> Powers:
    """The powers of data that a layer divides by, if it does."""
    powers: Powers = {}
    layer.save_own_variables(powers)
    return powers


def model_of_data(layer: ScatteringLayer, data: np.ndarray) -> Any:
    """A copy of the layer for data: what divides by powers divides by those that data have."""
    normalize = layer.normalize if isinstance(layer, SpectraLayer) else False
    powers = powers_of(layer)
    made = copy(
        layer, data.shape[1:], powers, normalize="adapted" if normalize is not False else False
    )
    if normalize is not False and not powers:
        made.adapt(data, _BATCH)
    return made


def mean_moments(layer: Any, data: np.ndarray) -> np.ndarray:
    """The mean of the layer's coefficients over data, (K,)."""
    total = 0.0
    for i in range(0, len(data), _BATCH):
        y = np.asarray(layer(tf.convert_to_tensor(data[i : i + _BATCH])), "float64")
        total = total + y.reshape(len(y), -1).sum(0)
    return np.asarray(total) / len(data)


def refuse_others(layer: Any) -> None:
    """Refuse what is no scattering layer, or has learned more than the powers of data."""
    if not isinstance(layer, ScatteringLayer):
        raise ValueError(
            f"Argument `layer` must be a scattering layer. Received: {_validate.shown(layer)}"
        )
    if layer.trainable_weights:
        names = [weight.path for weight in layer.trainable_weights]
        raise ValueError(
            "Argument `layer` must follow from its arguments, without weights that are trained. "
            f"Received: layer {layer.name!r} with weights {_validate.shown(names)}"
        )

"""Wavelet scattering transforms as native Keras layers."""

import importlib
from typing import Any

import keras

__version__ = "0.2.0"

if keras.config.backend() != "tensorflow":
    raise ValueError(
        "keras_scattering runs on Keras' TensorFlow backend: set the environment variable "
        "KERAS_BACKEND=tensorflow before Keras is imported. "
        f"Received: KERAS_BACKEND={keras.config.backend()}"
    )

from keras_scattering.densities import gaussian_density
from keras_scattering.layers.harmonic3d import HarmonicScattering3D
from keras_scattering.layers.phase_harmonics1d import PhaseHarmonics1D
from keras_scattering.layers.phase_harmonics2d import PhaseHarmonics2D
from keras_scattering.layers.rectifier2d import RectifierCovariances2D
from keras_scattering.layers.rototranslation2d import RotoTranslationScattering2D
from keras_scattering.layers.scattering1d import Scattering1D
from keras_scattering.layers.scattering2d import Scattering2D
from keras_scattering.layers.spectra1d import ScatteringSpectra1D
from keras_scattering.layers.spectra2d import ScatteringSpectra2D
from keras_scattering.layers.timefrequency import TimeFrequencyScattering
from keras_scattering.points import PointPattern
from keras_scattering.reconstruction import reconstruct
from keras_scattering.runtime.tensorflow_internals import keep_freed_memory
from keras_scattering.synthesis import synthesize

keep_freed_memory()

__all__ = [
    "HarmonicScattering3D",
    "PhaseHarmonics1D",
    "PhaseHarmonics2D",
    "PointPattern",
    "RectifierCovariances2D",
    "RotoTranslationScattering2D",
    "Scattering1D",
    "Scattering2D",
    "ScatteringSpectra1D",
    "ScatteringSpectra2D",
    "TimeFrequencyScattering",
    "gaussian_density",
    "reconstruct",
    "synthesize",
]


def __getattr__(name: str) -> Any:
    """Import a module when you first use it; some have additional requirements."""
    if name in ("features", "plot", "sklearn", "spectra"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

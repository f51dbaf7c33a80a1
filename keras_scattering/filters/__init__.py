"""Wavelet filters, designed in NumPy float64; nothing here imports TensorFlow."""

from keras_scattering.filters.bank import FilterBank
from keras_scattering.filters.bump2d import BumpSteerableBank2D
from keras_scattering.filters.morlet1d import MorletBank1D
from keras_scattering.filters.morlet2d import MorletBank2D
from keras_scattering.filters.solid_harmonics import SolidHarmonics

__all__ = ["BumpSteerableBank2D", "FilterBank", "MorletBank1D", "MorletBank2D", "SolidHarmonics"]

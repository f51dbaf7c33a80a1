"""Pictures of filters and coefficients; needs the extra `plot`.

Each function draws into the axes that it is given, or into a new figure. It returns the axes.
"""

from keras_scattering._extras import needed_by

with needed_by("keras_scattering.plot", "plot"):
    import matplotlib as _matplotlib  # noqa: F401  # names the missing extra at once

from keras_scattering.plot._banks import filter_bank, wavelets
from keras_scattering.plot._images import discs
from keras_scattering.plot._sounds import joint, scattergram
from keras_scattering.plot._spectra import spectra

__all__ = ["discs", "filter_bank", "joint", "scattergram", "spectra", "wavelets"]

"""Features of more items than memory holds, as Parquet files; needs the extra `features`."""

import importlib

from keras_scattering._extras import needed_by

with needed_by("keras_scattering.features", "features"):
    importlib.import_module("pyarrow")

from keras_scattering.features.extraction import Extracted, extract
from keras_scattering.features.schemas import read_meta

__all__ = ["Extracted", "extract", "read_meta"]

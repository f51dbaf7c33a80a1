"""Features of more items than memory holds, as Parquet files; needs the extra `features`."""

import importlib

try:
    importlib.import_module("pyarrow")
except ImportError as error:
    raise ImportError(
        "keras_scattering.features needs pyarrow: "
        f'pip install "keras-scattering[features]". Received: {error}'
    ) from error

from keras_scattering.features.extraction import Extracted, extract
from keras_scattering.features.schemas import read_meta

__all__ = ["Extracted", "extract", "read_meta"]

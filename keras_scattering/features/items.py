"""Reading the items that features are extracted from, each checked against what a model takes."""

import io
import os
import re
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from scipy.io import wavfile

IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")


class Reader(NamedTuple):
    """Makes arrays of one shape, whether an item is an array, a file, or the contents of a file."""

    shape: tuple[int, ...]  # of one item, as the model takes it
    dtype: str
    sampling_rate: float | None = None
    read: Callable[[str], Any] | None = None  # the user's own, of a file's path

    def read_all(self, ids: list[str], values: list[Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Arrays of the good items, and what is wrong with the bad ones, by id."""
        with warnings.catch_warnings(), ThreadPoolExecutor(8) as pool:
            # Of a wav file's faults SciPy only warns; chunks that it does not know are none.
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            warnings.filterwarnings("error", "Reached EOF", wavfile.WavFileWarning)
            arrays = list(pool.map(self._try, ids, values))
        good = {i: a for i, a in zip(ids, arrays, strict=True) if not isinstance(a, str)}
        return good, {i: a for i, a in zip(ids, arrays, strict=True) if isinstance(a, str)}

    def _try(self, name: str, value: Any) -> np.ndarray | str:
        """The item's array, or in words why there is none."""
        try:
            return self._fit(self._decode(name, value))
        except Exception as error:  # whatever a decoder makes of a damaged file
            reason = re.sub(r"{{.*?}} ?", "", str(error))  # TensorFlow names its nodes so
            return f"{type(error).__name__}: {reason}".splitlines()[0]

    def _decode(self, name: str, value: Any) -> Any:
        """The array of an item: a string is the path of a file, bytes are what is in one."""
        if isinstance(value, str):
            name = value
            if self.read is not None:
                return self.read(value)
            with open(value, "rb") as file:
                value = file.read()
        if not isinstance(value, bytes):
            return value
        kind = os.path.splitext(name)[1].lower()
        if kind == ".npy":
            return np.lib.format.read_array(io.BytesIO(value), allow_pickle=False)
        if kind == ".wav":
            return self._sound(value)
        if kind in IMAGES:
            channels = 1 if len(self.shape) < 3 else self.shape[-1]
            channels = channels if channels in (1, 3, 4) else 0  # 0: as many as the file has
            return tf.io.decode_image(value, channels, expand_animations=False).numpy()
        raise ValueError(f"the name must end in .npy, .wav, {', '.join(IMAGES)}")

    def _sound(self, contents: bytes) -> np.ndarray:
        """Samples between -1 and 1."""
        rate, samples = wavfile.read(io.BytesIO(contents))
        if self.sampling_rate is not None and rate != self.sampling_rate:
            raise ValueError(f"{rate} samples a second, not {self.sampling_rate:g}")
        if samples.dtype == np.uint8:
            return (samples - 128.0) / 128
        if samples.dtype.kind == "i":
            return samples / -float(np.iinfo(samples.dtype).min)
        return samples

    def _fit(self, value: Any) -> np.ndarray:
        """An array of the model's shape, up to axes of length 1."""
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise ValueError(f"the model takes real numbers, not {array.dtype}")
        if [n for n in array.shape if n != 1] != [n for n in self.shape if n != 1]:
            raise ValueError(f"the model takes shape {self.shape}, not {array.shape}")
        fitted = array.reshape(self.shape).astype(self.dtype)
        if fitted.dtype.kind in "iu" and not np.array_equal(fitted, array.reshape(self.shape)):
            raise ValueError(f"the model takes {self.dtype}, and the values are no such integers")
        return fitted

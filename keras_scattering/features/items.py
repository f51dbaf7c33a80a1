"""Reading the items that features are extracted from, each checked against what a model takes."""

import io
import math
import os
import re
import stat
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import tensorflow as tf
from scipy.io import wavfile

from keras_scattering.features import headers

IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")

_IRREGULAR = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
_SPARE = 2**25  # bytes of an image's file that may be other than pixels: metadata, more frames


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
            if any("\ud800" <= letter <= "\udfff" for letter in name):  # bytes that are no text
                raise ValueError("the name is not valid UTF-8")
            return self._fit(self._decode(name, value))
        except Exception as error:  # whatever a decoder makes of a damaged file
            reason = re.sub(r"{{.*?}} ?", "", str(error))  # TensorFlow names its nodes so
            return f"{type(error).__name__}: {reason}".splitlines()[0]

    def _decode(self, name: str, value: Any) -> Any:
        """The array of an item: a string is the path of a file, bytes are what is in one."""
        if isinstance(value, str) and self.read is not None:
            return self.read(value)
        if isinstance(value, str):
            _refuse_irregular(value)
            with open(value, "rb") as file:
                return self._contents(value, file)
        if isinstance(value, bytes):
            return self._contents(name, io.BytesIO(value))
        return value

    def _contents(self, name: str, file: BinaryIO) -> np.ndarray:
        kind = os.path.splitext(name)[1].lower()
        if kind == ".npy":
            return self._array(file)
        if kind == ".wav":
            return self._sound(file)
        if kind in IMAGES:
            return self._image(file)
        raise ValueError(f"the name must end in .npy, .wav, {', '.join(IMAGES)}")

    def _array(self, file: BinaryIO) -> np.ndarray:
        shape, dtype = headers.array(file)
        if not dtype.hasobject:  # which NumPy refuses in its own words
            self._check(shape, dtype)
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)

    def _sound(self, file: BinaryIO) -> np.ndarray:
        """Samples between -1 and 1."""
        shape = headers.sound(file)
        if shape is not None:
            self._check(shape, np.dtype(float))
        file.seek(0)
        rate, samples = wavfile.read(file)
        if self.sampling_rate is not None and rate != self.sampling_rate:
            raise ValueError(f"{rate} samples a second, not {self.sampling_rate:g}")
        if samples.dtype == np.uint8:
            return (samples - 128.0) / 128
        if samples.dtype.kind == "i":
            return samples / -float(np.iinfo(samples.dtype).min)
        return samples

    def _image(self, file: BinaryIO) -> np.ndarray:
        size = file.seek(0, os.SEEK_END)
        if size > 8 * math.prod(self.shape) + _SPARE:
            raise ValueError(f"the model takes shape {self.shape}, and the file has {size} bytes")
        file.seek(0)
        contents = file.read()
        pixels = headers.image(contents)
        if pixels is not None:
            sizes, wanted = _without_ones(pixels), _without_ones(self.shape)
            if wanted[: len(sizes)] != sizes or len(wanted) > len(sizes) + 1:  # with channels
                height, width = pixels
                raise ValueError(
                    f"the model takes shape {self.shape}, not an image of {height} x {width} pixels"
                )
        if contents.startswith(b"GIF"):
            contents = headers.first_frame(contents)
        channels = 1 if len(self.shape) < 3 else self.shape[-1]
        channels = channels if channels in (1, 3, 4) else 0  # 0: as many as the file has
        return tf.io.decode_image(contents, channels, expand_animations=False).numpy()

    def _check(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        """Refuse what cannot be an item, whatever its values are."""
        if dtype.kind not in "biuf":
            raise ValueError(f"the model takes real numbers, not {dtype}")
        if _without_ones(shape) != _without_ones(self.shape):
            raise ValueError(f"the model takes shape {self.shape}, not {shape}")

    def _fit(self, value: Any) -> np.ndarray:
        """An array of the model's shape, up to axes of length 1, and of finite numbers."""
        if np.ma.is_masked(value):
            raise ValueError("some of its values are masked")
        array = np.asarray(value)
        self._check(array.shape, array.dtype)
        if not np.isfinite(array).all():
            raise ValueError("it holds NaN or infinity")
        array = array.reshape(self.shape)
        with np.errstate(over="ignore", invalid="ignore"):  # which are looked for here
            fitted = array.astype(self.dtype)
        if fitted.dtype.kind in "biu" and not np.array_equal(fitted, array):
            raise ValueError(f"the model takes {self.dtype}, and the values are no such integers")
        if not np.isfinite(fitted).all():
            raise ValueError(f"the model takes {self.dtype}, of which values are infinite")
        return fitted


def _without_ones(shape: tuple[int, ...]) -> list[int]:
    return [n for n in shape if n != 1]


def _refuse_irregular(path: str) -> None:
    """Some of these have no end, and of others there is nothing to read until somebody writes."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        kind = _IRREGULAR.get(stat.S_IFMT(mode), "device")
        raise ValueError(f"it is a {kind}, not a regular file")

"""Readers of items, with checks against the shape and type that a model takes."""

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
_FIT = "a function `read` can crop, pad or resize it"  # ends messages on sizes
_SPARE = 2**25  # bytes allowed in an image's file besides its pixels: metadata, more frames


class Reader(NamedTuple):
    """Makes arrays of one shape from arrays, from files, or from their contents."""

    shape: tuple[int, ...]  # shape of one item, as the model takes it
    dtype: str
    sampling_rate: float | None = None
    read: Callable[[str], Any] | None = None  # the user's own function of a file's path

    def read_all(self, ids: list[str], values: list[Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Arrays of the good items by id, and reasons for the bad items by id."""
        with warnings.catch_warnings(), ThreadPoolExecutor(8) as pool:
            # SciPy only warns of a wav file's faults. Chunks that it does not know are no faults.
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            warnings.filterwarnings("error", "Reached EOF", wavfile.WavFileWarning)
            arrays = list(pool.map(self._try, ids, values))
        good = {i: a for i, a in zip(ids, arrays, strict=True) if not isinstance(a, str)}
        return good, {i: a for i, a in zip(ids, arrays, strict=True) if isinstance(a, str)}

    def _try(self, name: str, value: Any) -> np.ndarray | str:
        """The item's array, or the reason why the item is bad."""
        try:
            if any("\ud800" <= letter <= "\udfff" for letter in name):  # bytes that are no text
                raise ValueError("the name is not valid UTF-8")
            return self._fit(self._decode(name, value))
        except Exception as error:  # decoders raise many kinds for damaged files
            reason = re.sub(r"{{.*?}} ?", "", str(error))  # without the names of TensorFlow's nodes
            return f"{type(error).__name__}: {reason}".splitlines()[0]

    def _decode(self, name: str, value: Any) -> Any:
        """The array of an item: a string is the path of a file, and bytes are its contents."""
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
        shape, dtype = headers.array_shape(file)
        if not dtype.hasobject:  # NumPy refuses objects itself, below
            self._check(shape, dtype)
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)

    def _sound(self, file: BinaryIO) -> np.ndarray:
        """Samples of a wav file; integers become floats between -1 and 1."""
        shape = headers.sound_shape(file)
        if shape is not None:
            self._check(shape, np.dtype(float))
        file.seek(0)
        rate, samples = wavfile.read(file)
        if self.sampling_rate is not None and rate != self.sampling_rate:
            raise ValueError(f"{rate} samples per second, not {self.sampling_rate:g}")
        if samples.dtype == np.uint8:
            return (samples - 128.0) / 128
        if samples.dtype.kind == "i":
            return samples / -float(np.iinfo(samples.dtype).min)
        return samples

    def _image(self, file: BinaryIO) -> np.ndarray:
        length = file.seek(0, os.SEEK_END)
        if length > 8 * math.prod(self.shape) + _SPARE:
            raise ValueError(f"the model takes shape {self.shape}, and the file has {length} bytes")
        file.seek(0)
        contents = file.read()
        pixels = headers.image_shape(contents)
        if pixels is not None:
            shape, wanted = _without_ones(pixels), _without_ones(self.shape)
            if wanted[: len(shape)] != shape or len(wanted) > len(shape) + 1:  # 1 for channels
                height, width = pixels
                raise ValueError(
                    f"the model takes shape {self.shape}, not an image of {height} x {width} "
                    f"pixels; {_FIT}"
                )
        if contents.startswith(b"GIF"):
            contents = headers.first_frame(contents)
        channels = 1 if len(self.shape) < 3 else self.shape[-1]
        channels = channels if channels in (1, 3, 4) else 0  # 0: as many as the file has
        return tf.io.decode_image(contents, channels, expand_animations=False).numpy()

    def _check(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        """Refuse shapes and types that the model does not take."""
        if dtype.kind not in "biuf":
            raise ValueError(f"the model takes real numbers, not {dtype}")
        if _without_ones(shape) != _without_ones(self.shape):
            raise ValueError(f"the model takes shape {self.shape}, not {shape}; {_FIT}")

    def _fit(self, value: Any) -> np.ndarray:
        """An array of the model's shape, up to axes of length 1, and of finite numbers."""
        if np.ma.is_masked(value):
            raise ValueError("some of its values are masked")
        array = np.asarray(value)
        self._check(array.shape, array.dtype)
        if not np.isfinite(array).all():
            raise ValueError("it holds NaN or infinity")
        array = array.reshape(self.shape)
        with np.errstate(over="ignore", invalid="ignore"):  # the checks below find both
            fitted = array.astype(self.dtype)
        if fitted.dtype.kind in "biu" and not np.array_equal(fitted, array):
            raise ValueError(f"the model takes {self.dtype}, and the values are no such integers")
        if not np.isfinite(fitted).all():
            raise ValueError(f"the model takes {self.dtype}, of which values are infinite")
        return fitted


def _without_ones(shape: tuple[int, ...]) -> list[int]:
    return [n for n in shape if n != 1]


def _refuse_irregular(path: str) -> None:
    """Refuse files such as devices, which may never end, and pipes, which may never begin."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        kind = _IRREGULAR.get(stat.S_IFMT(mode), "device")
        raise ValueError(f"it is a {kind}, not a regular file")

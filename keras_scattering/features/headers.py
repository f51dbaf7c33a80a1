"""Shapes of arrays, sounds and images, from the headers of their files, without decoding."""

import os
import struct
from typing import BinaryIO

import numpy as np
import tensorflow as tf
from scipy.io import wavfile

_PALETTE = 0x80  # flag of a GIF with a palette; the last three bits give the palette's length


def array_shape(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of a .npy file."""
    version = np.lib.format.read_magic(file)
    first = version == (1, 0)  # later versions may have longer headers, and share one reader
    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def sound_shape(file: BinaryIO) -> tuple[int, ...] | None:
    """Samples of a wav file, and channels if there are several; None for other files."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    order = {b"RIFF": "<", b"RF64": "<", b"RIFX": ">"}.get(head[:4])
    if order is None or head[8:] != b"WAVE":
        return None
    channels, width, total, long = 1, 1, 0, 0
    while len(chunk := file.read(8)) == 8:
        name, length = struct.unpack(f"{order}4sI", chunk)
        start = file.tell()
        if name == b"ds64":  # RF64 has a length of eight bytes here
            _, long = struct.unpack("<QQ", file.read(16))
        elif name == b"fmt ":
            channels, width = struct.unpack(f"{order}2xH8xH", file.read(14))
        elif name == b"data":
            length = long or length
            if length > end - start:  # SciPy warns of this only if the file's length shows it
                raise wavfile.WavFileWarning(f"Reached EOF: {end - start} bytes of {length}")
            total += length
        file.seek(start + length + length % 2)
    samples = total // width
    return (samples,) if channels == 1 else (samples, channels)


def image_shape(contents: bytes) -> tuple[int, int] | None:
    """Height and width of an image; None for other contents."""
    if contents.startswith(b"\x89PNG"):
        width, height = struct.unpack_from(">II", contents, 16)
    elif contents.startswith(b"GIF8"):
        width, height = _frame(contents)[1]
    elif contents.startswith(b"BM"):
        width, height = struct.unpack_from("<ii", contents, 18)
    elif contents.startswith(b"\xff\xd8\xff"):
        height, width, _ = tf.io.extract_jpeg_shape(contents).numpy().tolist()
    else:
        return None
    return abs(height), width  # a BMP with a negative height begins at the top


def first_frame(contents: bytes) -> bytes:
    """A GIF up to its first frame, since a decoder unpacks all frames."""
    end, _ = _frame(contents)
    return contents[:end] + b";"


def _frame(gif: bytes) -> tuple[int, tuple[int, int]]:
    """End of a GIF's first frame, and the frame's width and height."""
    try:
        at = 13 + _colours(gif[10])
        while gif[at] == 0x21:  # extensions
            at = _behind_blocks(gif, at + 2)
        if gif[at] != 0x2C:
            raise ValueError("the GIF has no frame where one should be")
        size = struct.unpack_from("<HH", gif, at + 5)
        return _behind_blocks(gif, at + 11 + _colours(gif[at + 9])), size
    except (IndexError, struct.error):
        raise ValueError("the GIF ends within its first frame") from None


def _colours(flags: int) -> int:
    """Bytes of a GIF's palette."""
    return 3 << (flags & 7) + 1 if flags & _PALETTE else 0


def _behind_blocks(gif: bytes, at: int) -> int:
    """Position after a chain of blocks; each block begins with its length."""
    while gif[at]:
        at += gif[at] + 1
    return at + 1

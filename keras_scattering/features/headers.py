"""Shapes of arrays and sounds, from the headers of their files.

A header is believed only as far as the file bears it out: what is read has limits of its own.
"""

import io
import os
import struct
from typing import BinaryIO, NamedTuple

import numpy as np

_LETTERS = 10_000  # of the header of a .npy file; NumPy's own limit
_CHUNKS = 1000  # of a wav file; one of zeros only has a chunk in each 8 bytes
_FORM = 40  # bytes of the longest format of samples that SciPy knows
_ELSEWHERE = 2**32 - 1  # length of a chunk whose length is in an RF64 file's first chunk


def array_shape(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of a .npy file."""
    version = np.lib.format.read_magic(file)
    first = version == (1, 0)  # later versions may have longer headers, and share one reader
    field = file.read(2 if first else 4)
    length = int.from_bytes(field, "little")
    if length > _LETTERS:
        raise ValueError(f"its header has {length} bytes, and {_LETTERS} are allowed")
    header = io.BytesIO(field + file.read(length))
    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(header)
    return shape, dtype


class Sound(NamedTuple):
    """The samples of a wav file."""

    shape: tuple[int, ...]  # samples, and channels if there are several
    head: bytes  # of a wav file that has nothing but these samples
    start: int
    length: int

    def alone(self, file: BinaryIO) -> BinaryIO:
        """A wav file without other chunks, which a reader may take for samples or formats."""
        file.seek(self.start)
        return io.BytesIO(self.head + file.read(self.length))


def sound(file: BinaryIO) -> Sound:
    """Find the samples of a wav file."""
    order, chunks = _chunks(file)
    for name in (b"fmt ", b"data"):
        count = sum(chunk == name for chunk, _, _ in chunks)
        if count != 1:
            raise ValueError(f"it has {count} chunks {_shown(name)}, not 1")
    places = {name: place for name, *place in chunks}
    start, length = places[b"fmt "]
    file.seek(start)
    form = file.read(min(length // 2 * 2, _FORM))
    if len(form) < 16:
        raise ValueError(f"its format has {length} bytes, and needs 16")
    channels, width = struct.unpack_from(f"{order}2xH8xH", form)
    if not channels or not width:
        raise ValueError(f"it has {channels} channels, and {width} bytes for a sample of all")
    start, length = places[b"data"]
    samples = length // width
    shape = (samples,) if channels == 1 else (samples, channels)
    form = struct.pack(f"{order}4sI", b"fmt ", len(form)) + form
    body = b"WAVE" + form + struct.pack(f"{order}4sI", b"data", samples * width)
    riff = b"RIFF" if order == "<" else b"RIFX"
    head = riff + struct.pack(f"{order}I", len(body) + samples * width) + body
    return Sound(shape, head, start, samples * width)


def _chunks(file: BinaryIO) -> tuple[str, list[tuple[bytes, int, int]]]:
    """Order of a wav file's bytes, and name, start and length of its chunks."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    order = {b"RIFF": "<", b"RF64": "<", b"RIFX": ">"}.get(head[:4])
    if order is None or head[8:] != b"WAVE":
        raise ValueError("it does not begin as a wav file")
    stop, at, long = 8 + struct.unpack(f"{order}I", head[4:8])[0], 12, _ELSEWHERE
    if head[:4] == b"RF64":
        first = file.read(24)
        if len(first) < 24 or first[:4] != b"ds64":
            raise ValueError("it is an RF64 file without lengths")
        at, stop, long = struct.unpack("<4xIQQ", first)
        at, stop = 20 + at, 8 + stop
    chunks = []
    while at + 8 <= min(stop, end):
        if len(chunks) == _CHUNKS:
            raise ValueError(f"it has more than {_CHUNKS} chunks")
        file.seek(at)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        length = long if length == _ELSEWHERE else length
        if at + 8 + length > end:
            raise ValueError(f"it ends early: chunk {_shown(name)} should have {length} bytes")
        chunks.append((name, at + 8, length))
        at += 8 + length + length % 2
    if stop > max(at, end):
        raise ValueError(f"it ends early: it has {end} bytes, and should have {stop}")
    return order, chunks


def _shown(name: bytes) -> str:
    return repr(name.decode("latin-1"))

"""Files that are good, damaged, or meant to do harm, for `keras_scattering.features.extract`."""

import io
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from scipy.io import wavfile

N, RATE = 64, 8000
SIZE = (8, 9)
HUGE = 2**36  # bytes, of which a sparse file has hardly any
GOOD, BAD, ANY = "good", "bad", "any"  # what a file must be; any: done or bad


class Specimen(NamedTuple):
    """A file, what must become of it, and the array in it if it is good."""

    path: str
    verdict: str
    array: np.ndarray | None = None
    about: str = ""


# Good files, as bytes


def npy(x: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(x))
    return file.getvalue()


def wav(x: np.ndarray, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    wavfile.write(file, rate, x)
    return file.getvalue()


def image(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


class Sounds:
    """Items for a layer of signals."""

    shape: tuple[int, ...] = (N,)
    kinds = ("npy", "wav")

    def good(self, rng: np.random.Generator, kind: str) -> tuple[bytes, np.ndarray]:
        """A file, and what is in it."""
        x = rng.uniform(-0.9, 0.9, N).astype("float32")
        if kind == "npy":
            types = ("<f4", ">f8", "<f8", ">f4")
            shapes = ((N,), (1, N), (N, 1, 1))
            return npy(x.astype(rng.choice(types)).reshape(shapes[rng.integers(3)])), x
        x = np.round(x * 64) / 128
        integers = {"uint8": (128, 128), "int16": (2**15, 0), "int32": (2.0**31, 0)}
        name = str(rng.choice([*integers, "float32", "float64"]))
        factor, offset = integers.get(name, (1, 0))
        return wav((x.astype("float64") * factor + offset).astype(name)), x


class Images:
    """Items for a layer of images in colours."""

    shape: tuple[int, ...] = (*SIZE, 3)
    kinds = ("npy", "png", "jpeg", "gif", "bmp")

    def good(self, rng: np.random.Generator, kind: str) -> tuple[bytes, np.ndarray]:
        levels = rng.integers(0, 256, 3)
        slopes = rng.integers(0, 12, (2, 3))
        pixels = levels + np.einsum("ahw,ac->hwc", np.indices(SIZE), slopes)
        pixels = (np.minimum(pixels // 2, 255) if kind == "jpeg" else pixels % 256).astype("uint8")
        if kind == "npy":
            return npy(pixels), pixels
        if kind == "gif":
            frames = [Image.fromarray(p).quantize(256) for p in (pixels, pixels[::-1])]
            file = io.BytesIO()
            more = {"save_all": True, "append_images": frames[1:]} if rng.random() < 0.5 else {}
            frames[0].save(file, "gif", **more)
            return file.getvalue(), np.asarray(frames[0].convert("RGB"))
        if kind == "jpeg":
            options = {"quality": 95, "progressive": bool(rng.random() < 0.5)}
            content = image(pixels, "jpeg", **options)
            return content, np.asarray(Image.open(io.BytesIO(content)))
        return image(pixels, kind), pixels


class Greys(Images):
    """Items for a layer of images without channels, whatever the files have."""

    shape = SIZE

    def good(self, rng: np.random.Generator, kind: str) -> tuple[bytes, np.ndarray]:
        pixels = rng.integers(100, 256, SIZE).astype("uint8")
        pixels[:] = pixels.mean(0) if kind == "jpeg" else pixels
        if kind == "npy":
            return npy(pixels), pixels
        colours = np.repeat(pixels[..., None], 3, axis=-1)
        return image(colours if rng.random() < 0.5 else pixels, kind), pixels


# Damage to the bytes of a good file


def truncated(rng: np.random.Generator, content: bytes) -> bytes:
    return content[: int(rng.uniform(0, 0.9) * len(content))]


def flipped(rng: np.random.Generator, content: bytes) -> bytes:
    bits = np.unpackbits(np.frombuffer(content, "uint8"))
    first = rng.random() < 0.5  # headers are more of a risk than samples
    where = rng.integers(0, min(800, len(bits)) if first else len(bits), rng.integers(1, 20))
    bits[where] ^= 1
    return np.packbits(bits).tobytes()


def spliced(rng: np.random.Generator, content: bytes) -> bytes:
    """A piece of the file doubled, left out, or overwritten."""
    start, stop = sorted(rng.integers(0, len(content), 2).tolist())
    piece = rng.choice([b"", content[start:stop] * 2, rng.bytes(stop - start), b"\xff" * 8])
    return content[:start] + bytes(piece) + content[stop:]


def noise(rng: np.random.Generator, content: bytes) -> bytes:
    return content[: rng.integers(0, 16)] + rng.bytes(int(rng.integers(1, 2000)))


DAMAGES = {truncated: BAD, flipped: ANY, spliced: ANY, noise: ANY}


def damaged(place: Path, items: Any, rng: np.random.Generator, number: int) -> Specimen:
    """A file with random damage, often under the suffix of another kind."""
    kind = str(rng.choice(items.kinds))
    damage = list(DAMAGES)[rng.integers(len(DAMAGES))]
    whole = items.good(rng, kind)[0]
    content, suffix, verdict = damage(rng, whole), kind, DAMAGES[damage]
    if kind == "gif" and Image.open(io.BytesIO(whole)).n_frames > 1:
        verdict = ANY  # of an animation the first frame counts
    if rng.random() < 0.2:
        suffix, verdict = (
            str(rng.choice(["npy", "wav", "PNG", "jpg", "gif", "bmp", "txt", ""])),
            ANY,
        )
    path = place / f"{number:03}-{damage.__name__}.{suffix}"
    path.write_bytes(content)
    return Specimen(str(path), verdict, about=damage.__name__)


# Files that are strange each in a way of its own: of a place, a name for them, and a good file


def _named(name: bytes | str) -> Callable:
    """A good file of an odd name."""

    def make(place: Path, stem: str, content: bytes) -> str:
        path = os.path.join(os.fsencode(place), os.fsencode(stem) + os.fsencode(name) + b".npy")
        with open(path, "wb") as file:
            file.write(content)
        return os.fsdecode(path)

    return make


def _holding(suffix: str, content: bytes | Callable[[bytes], bytes], size: int = 0) -> Callable:
    """A file of given bytes, and of a size that may be more."""

    def make(place: Path, stem: str, good: bytes) -> str:
        path = place / f"{stem}.{suffix}"
        path.write_bytes(content(good) if callable(content) else content)
        if size:
            os.truncate(path, size)
        return str(path)

    return make


def _made(suffix: str, make_at: Callable[[str], Any]) -> Callable:
    def make(place: Path, stem: str, good: bytes) -> str:
        path = f"{place}/{stem}.{suffix}"
        make_at(path)
        return path

    return make


def _unreadable(place: Path, stem: str, good: bytes) -> str:
    path = place / f"{stem}.npy"
    path.write_bytes(good)
    path.chmod(0)
    return str(path)


def _link_to_folder(place: Path, stem: str, good: bytes) -> str:
    path, target = place / f"{stem}.png", f"{place} {stem}"
    os.mkdir(target)
    path.symlink_to(target)
    return str(path)


def _socket(path: str) -> None:
    before = os.getcwd()
    os.chdir(os.path.dirname(path))  # sockets have short names
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.basename(path))
    finally:
        os.chdir(before)


def _header(descr: str = "<f4", shape: str = f"({N},)", more: str = "") -> bytes:
    """Of a .npy file, whatever it says."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, {more}}}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def _chunk(name: bytes, data: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(data) if size is None else size) + data


def _sound(
    samples: bytes,
    *,
    channels: int = 1,
    rate: int = RATE,
    block: int = 2,
    bits: int = 16,
    tag: int = 1,
    riff: bytes = b"RIFF",
    before: bytes = b"",
    size: int | None = None,
) -> bytes:
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * block % 2**32, block, bits)
    body = b"WAVE" + before + _chunk(b"fmt ", form) + _chunk(b"data", samples, size)
    return riff + struct.pack("<I", len(body)) + body


def _sound_after(name: bytes, data: bytes, size: int | None = None, **options: Any) -> bytes:
    """A sound with another chunk before its own."""
    return _sound(_ZEROS, before=_chunk(name, data, size), **options)


def _png(width: int, height: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


def _gif(width: int, height: int) -> bytes:
    """A frame of so many pixels, and hardly any data."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x91, 0, 0) + bytes(12)
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00"
    return screen + frame + b";"


def _bmp(width: int, height: int) -> bytes:
    """The header of an image."""
    header = (1 << 30, 0, 54, 40, width, height, 1, 24, *[0] * 6)
    return b"BM" + struct.pack("<IIIIiiHHIIiiII", *header)


def _jpeg(width: int, height: int) -> bytes:
    content = image(np.zeros((*SIZE, 3), "uint8"), "jpeg")
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


_ZEROS = bytes(2 * N)
_CODE = "__import__('os').system('touch was-here')"

STRANGE: dict[str, tuple[str, Callable]] = {
    # names
    "name with a new line": (GOOD, _named("a\nb")),
    "name with glob characters": (GOOD, _named("[a-z]*?")),
    "name with composed letters": (GOOD, _named("é e\u0301 \U0001f600")),
    "long name": (GOOD, _named("x" * 200)),
    "name of a column": (GOOD, _named("'; DROP TABLE id; --")),
    "name that is not UTF-8": (BAD, _named(b"\xff\xfe\x80")),
    "name of an overlong code": (BAD, _named(b"\xc0\xaf")),
    # what is no regular file
    "pipe": (BAD, _made("npy", os.mkfifo)),
    "pipe, wav": (BAD, _made("wav", os.mkfifo)),
    "folder": (BAD, _made("wav", os.mkdir)),
    "socket": (BAD, _made("npy", _socket)),
    "link to itself": (BAD, _made("npy", lambda path: os.symlink(path, path))),
    "link to nothing": (BAD, _made("npy", lambda path: os.symlink("/nothing/here", path))),
    "link to a device": (BAD, _made("npy", lambda path: os.symlink("/dev/zero", path))),
    "link to a terminal": (BAD, _made("wav", lambda path: os.symlink("/dev/tty", path))),
    "link to a folder": (BAD, _link_to_folder),
    "unreadable": (GOOD if os.geteuid() == 0 else BAD, _unreadable),
    # empty, and of other suffixes
    **{f"empty {kind}": (BAD, _holding(kind, b"")) for kind in ("npy", "wav", "png", "jpg", "gif")},
    "empty bmp": (BAD, _holding("bmp", b"")),
    "no suffix": (BAD, _holding("", lambda good: good)),
    "other suffix": (BAD, _holding("npz", lambda good: good)),
    "npy as wav": (BAD, _holding("wav", lambda good: good)),
    "npy as png": (BAD, _holding("png", lambda good: good)),
    "png as gif": (ANY, _holding("gif", _png(9, 8, bytes(28 * 8)))),
    # far too large
    "huge npy": (BAD, _holding("npy", _header(shape=f"({2**33},)"), HUGE)),
    "huge npy of the right header": (GOOD, _holding("npy", lambda good: good, HUGE)),
    "huge empty npy": (BAD, _holding("npy", b"", HUGE)),
    "huge wav": (BAD, _holding("wav", _sound(_ZEROS, size=2**32 - 1), HUGE)),
    "huge wav of empty chunks": (BAD, _holding("wav", b"RIFF\xff\xff\xff\xffWAVE", HUGE)),
    "huge wav with empty chunks behind": (ANY, _holding("wav", _sound(_ZEROS), HUGE)),
    "huge empty wav": (BAD, _holding("wav", b"", HUGE)),
    "huge png": (BAD, _holding("png", _png(9, 8, bytes(28 * 8)), HUGE)),
    "huge gif": (BAD, _holding("gif", _gif(9, 8), HUGE)),
    "huge jpeg": (BAD, _holding("jpg", _jpeg(9, 8), HUGE)),
    "png of 2 GB": (BAD, _holding("png", lambda _: _png(26000, 26000, bytes(78001 * 1000)))),
    "png of the largest size": (BAD, _holding("png", _png(2**31 - 1, 2**31 - 1, bytes(99)))),
    "gif of 4 GB": (BAD, _holding("gif", _gif(65535, 65535))),
    "jpeg of 12 GB": (BAD, _holding("jpg", _jpeg(65500, 65500))),
    # numbers that are none
    "NaN": (BAD, _holding("npy", npy(np.full(N, np.nan, "float32")))),
    "one NaN": (BAD, _holding("npy", npy(np.where(np.arange(N) == N - 1, np.nan, 0.5)))),
    "infinity": (BAD, _holding("npy", npy(np.full(N, -np.inf)))),
    "NaN in a wav": (BAD, _holding("wav", wav(np.full(N, np.nan, "float32")))),
    "beyond float32": (BAD, _holding("npy", npy(np.full(N, 1e300)))),
    "complex numbers": (BAD, _holding("npy", npy(np.ones(N, complex)))),
    "strings": (BAD, _holding("npy", npy(np.full(N, "a")))),
    "dates": (BAD, _holding("npy", npy(np.zeros(N, "datetime64[s]")))),
    "records": (BAD, _holding("npy", npy(np.zeros(N, [("a", "f4"), ("b", "i2")])))),
    "objects": (BAD, _holding("npy", _header("|O") + b"cos\nsystem\n(S'touch was-here'\ntR.")),
    # headers
    "npy of a negative size": (BAD, _holding("npy", _header(shape="(-64,)") + bytes(256))),
    "npy of two negative sizes": (BAD, _holding("npy", _header(shape="(-1, -64)") + bytes(256))),
    "npy of no size": (BAD, _holding("npy", _header(shape="(0,)"))),
    "npy with code": (BAD, _holding("npy", _header(shape=_CODE) + bytes(256))),
    "npy of deep brackets": (BAD, _holding("npy", _header(shape="(" * 9000 + ")" * 9000))),
    "npy of another version": (BAD, _holding("npy", b"\x93NUMPY\x09\x00" + bytes(200))),
    "npy of a long header": (
        BAD,
        _holding("npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**28), HUGE),
    ),
    "npz": (BAD, _holding("npy", b"PK\x03\x04" + bytes(300))),
    "wav of no channels": (BAD, _holding("wav", _sound(_ZEROS, channels=0))),
    "wav of many channels": (BAD, _holding("wav", _sound(_ZEROS, channels=65535))),
    "wav of no bytes a sample": (BAD, _holding("wav", _sound(_ZEROS, block=0))),
    "wav of no bits": (ANY, _holding("wav", _sound(_ZEROS, bits=0))),
    "wav of odd bits": (ANY, _holding("wav", _sound(_ZEROS, bits=13))),
    "wav of an unknown format": (BAD, _holding("wav", _sound(_ZEROS, tag=85))),
    "wav without data": (BAD, _holding("wav", _sound(b"")[:36])),
    "wav of rate 0": (ANY, _holding("wav", _sound(_ZEROS, rate=0))),
    "wav of two formats": (ANY, _holding("wav", _sound_after(b"fmt ", bytes(16)))),
    "wav of a huge chunk": (ANY, _holding("wav", _sound_after(b"JUNK", b"", 2**32 - 2))),
    "wav of an odd chunk": (ANY, _holding("wav", _sound_after(b"LIST", b"abc"))),
    "RF64 of a huge size": (
        BAD,
        _holding("wav", _sound_after(b"ds64", b"\xff" * 28, riff=b"RF64")),
    ),
    "gif of extensions": (BAD, _holding("gif", _gif(9, 8)[:25] + b"!\xfe\x01a\x00" * 100_000)),
    "gif without a frame": (BAD, _holding("gif", _gif(9, 8)[:25] + b";")),
    "jpeg of markers": (BAD, _holding("jpg", b"\xff\xd8" + b"\xff" * 2_000_000)),
    "jpeg of segments": (BAD, _holding("jpg", b"\xff\xd8" + b"\xff\xe0\x00\x02" * 500_000)),
    "png of chunks": (BAD, _holding("png", _png(9, 8, b"")[:33] + bytes(4) + b"teXt" + bytes(4))),
    "bmp of a negative height": (BAD, _holding("bmp", _bmp(9, -(2**31)))),
    "bmp that begins at the top": (ANY, _holding("bmp", _bmp(9, -8) + bytes(28 * 8))),
}


def strange(place: Path, items: Any, rng: np.random.Generator, name: str, number: int) -> Specimen:
    """One of the strange files; what is good in it is an array for the items' model."""
    content, array = items.good(rng, "npy")
    verdict, make = STRANGE[name]
    path = make(place, f"{number:03}-", content)
    return Specimen(path, verdict, array if verdict == GOOD else None, name)

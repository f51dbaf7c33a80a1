"""What a file would decode to is known beforehand, so that no file costs more than an item."""

import ast
import os
import re
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tensorflow as tf
from extracted import RATE, N, assert_stored, bad_ones, make_layer, signals

from keras_scattering import Scattering2D
from keras_scattering.features import extract


@pytest.fixture(scope="module")
def layer():
    return make_layer()


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(height, width, more=b"", excess=0):
    """A few bytes that decode to many."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = png_chunk(b"IDAT", zlib.compress(bytes((width + 1) * height + excess), 9))
    return b"\x89PNG\r\n\x1a\n" + header + more + data + png_chunk(b"IEND", b"")


def gif(*sizes):
    """Black frames of sizes (height, width)."""
    height, width = sizes[0]
    frames = b""
    for h, w in sizes:
        # A code of three bits for each pixel, cleared before each, so that codes do not grow.
        codes = "001000" * (h * w) + "101"  # the lowest bit first
        codes += "0" * (-len(codes) % 8)
        data = bytes(int(codes[i : i + 8][::-1], 2) for i in range(0, len(codes), 8))
        blocks = b"".join(
            bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255)
        )
        frames += b"!\xf9\x04" + bytes(4) + b"\0"  # an extension
        frames += b"," + struct.pack("<HHHHB", 0, 0, w, h, 0) + b"\x02" + blocks + b"\0"
    palette = bytes(12)
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x91, 0, 0) + palette + frames + b";"


def bmp(height, width):
    rows = bytes(-(-width * 3 // 4) * 4 * height)
    header = struct.pack("<2sIII", b"BM", 54 + len(rows), 0, 54)
    return header + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0) + rows


def jpeg(height, width):
    return tf.io.encode_jpeg(np.zeros((height, width, 1), "uint8")).numpy()


IMAGES = {"png": png, "gif": gif, "bmp": bmp, "jpeg": jpeg}


def two_frames(height, width):
    return gif((height, width), (height, width))


@pytest.mark.parametrize(
    ("kind", "make"),
    [("png", png), ("gif", lambda *s: gif(s)), ("gif", two_frames), ("bmp", bmp), ("jpg", jpeg)],
    ids=["png", "gif", "animated gif", "bmp", "jpeg"],
)
def test_the_size_of_an_image_is_known_before_it_is_decoded(tmp_path, monkeypatch, kind, make):
    layer = Scattering2D(J=1, L=2)
    layer.build((None, 8, 9, 3))
    fits, large, turned, cut = (str(tmp_path / f"{name}.{kind}") for name in "abcd")
    for name, content in (
        (fits, make(8, 9)),
        (large, make(8, 90)),
        (turned, make(9, 8)),
        (cut, make(8, 9)[: len(make(8, 9)) * 2 // 5]),
    ):
        with open(name, "wb") as file:
            file.write(content)
    decoded, decode = [], tf.io.decode_image

    def watched(contents, *arguments, **options):
        decoded.append(contents)
        return decode(contents, *arguments, **options)

    monkeypatch.setattr(tf.io, "decode_image", watched)
    bad = bad_ones([fits, large, turned, cut], layer, tmp_path / "features")
    assert list(bad) == [os.path.basename(name) for name in (large, turned, cut)]
    for name, size in ((large, "8 x 90"), (turned, "9 x 8")):
        reason = f"ValueError: the model takes shape (8, 9, 3), not an image of {size} pixels"
        reason += "; a function `read` can crop, pad or resize it"
        assert bad[os.path.basename(name)] == reason
    assert len(decoded) <= 2  # the first, and the one that is cut


def test_of_an_animation_the_first_frame_is_taken_alone(tmp_path):
    layer = Scattering2D(J=1, L=2)
    layer.build((None, 8, 9, 3))
    (tmp_path / "a.gif").write_bytes(gif((8, 9), *[(8, 9)] * 5))
    # A frame of 4 gigabytes, which is never unpacked.
    (tmp_path / "b.gif").write_bytes(
        gif((8, 9))[:-1] + b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0)
    )
    assert extract(f"{tmp_path}/*.gif", layer, tmp_path / "f", verbose=False) == (2, 0, {})


def test_colours_need_not_be_known_beforehand(tmp_path):
    for channels in (1, 2, 3, 4):
        layer = Scattering2D(J=1, L=2)
        layer.build((None, 8, 9, channels))
        pixels = np.zeros((8, 9, channels), "uint8")
        (tmp_path / f"{channels}.png").write_bytes(tf.io.encode_png(pixels).numpy())
        result = extract(
            f"{tmp_path}/{channels}.png", layer, f"{tmp_path}/{channels}", verbose=False
        )
        assert result.done == 1


LARGE = """
import resource, sys
from extracted import make_layer
from keras_scattering import Scattering2D
from keras_scattering.features import extract

layer = make_layer()
if sys.argv[1].endswith("png"):
    layer = Scattering2D(J=1, L=2)
    layer.build((None, 8, 8))
small, large, features = sys.argv[1:]
assert extract(small, layer, features, verbose=False).done > 0
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(extract(large, layer, features, verbose=False).bad)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def sparse_npy(path, count):
    with open(path, "wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (count,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 8 * count)


def sparse_wav(path, count):
    with open(path, "wb") as file:
        file.write(struct.pack("<4sI4s", b"RIFF", 36 + 2 * count, b"WAVE"))
        file.write(struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16))
        file.write(struct.pack("<4sI", b"data", 2 * count))
        file.truncate(file.tell() + 2 * count)


def sparse_png(path, count):
    with open(path, "wb") as file:
        file.write(png(8, 8))
        file.truncate(count)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted otherwise")
@pytest.mark.parametrize("kind", ["npy", "wav", "png", "sparse.png"])
def test_files_that_are_far_too_large_cost_no_memory(tmp_path, kind):
    ending = kind.split(".")[-1]
    small, large = f"{tmp_path}/small.{ending}", tmp_path / f"large.{ending}"
    if kind == "npy":
        np.save(small, signals(1)[0])
        sparse_npy(large, 2**27)
    elif kind == "wav":
        sparse_wav(small, N)
        sparse_wav(large, 2**29)
    else:
        with open(small, "wb") as file:
            file.write(png(8, 8))
        large.write_bytes(png(12000, 12000)) if kind == "png" else sparse_png(large, 2**30)
    bad, kilobytes = bad_and_memory(small, large, tmp_path / "features")
    sizes = {
        "npy": "(64,), not (134217728,)",
        "wav": "(64,), not (536870912,)",
        "png": "(8, 8), not an image of 12000 x 12000 pixels",
        "sparse.png": "(8, 8), and the file has 1073741824 bytes",
    }
    assert sizes[kind] in bad[str(large)]
    assert kilobytes < 50_000


FORM = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
ENDLESS = struct.pack("<HHIIHHH", 0xFFFE, 1, RATE, 2 * RATE, 2, 16, 22)
SPARSE = 2**36  # bytes, nearly all of them a hole


def wav_chunk(name, data, size=None):
    size = len(data) if size is None else size
    return name + struct.pack("<I", size) + data + b"\0" * (len(data) % 2)


def wav(*chunks, riff=b"RIFF", hole=2**32):
    """The beginning of a sound, before a hole of so many bytes."""
    body = b"WAVE" + b"".join(chunks)
    return riff + struct.pack("<I", min(len(body) + hole, 2**32 - 1)) + body


def npy_header(version, size):
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", size)


LYING_SOUNDS = {  # contents, size, and reason
    "1.npy": (npy_header(1, 60_000), SPARSE, "its header has 60000 bytes, and 10000 are allowed"),
    "2.npy": (npy_header(2, 2**28), SPARSE, "its header has 268435456 bytes, and 10000 are"),
    "3.npy": (npy_header(3, 2**28), SPARSE, "its header has 268435456 bytes, and 10000 are"),
    "short.npy": (npy_header(2, 2**28), 0, "its header has 268435456 bytes, and 10000 are"),
    "cut.npy": (npy_header(2, 9000), 0, "EOF: reading array header, expected 9000 bytes got 0"),
    "quoted.npy": (npy_header(1, 9000) + b"{'" + b"x" * 8994 + b"':0}", 0, "keys: ['xxx"),
    "zeros.wav": (wav(), SPARSE, "it has more than 1000 chunks"),
    "chunks.wav": (wav(*[wav_chunk(b"JUNK", b"")] * 9999), 0, "it has more than 1000 chunks"),
    "format.wav": (wav(wav_chunk(b"fmt ", FORM, 2**32 - 2)), SPARSE, "0 chunks 'data', not 1"),
    # One reader finds as many samples as the model takes, and another finds gigabytes.
    "lengths.wav": (
        wav(
            wav_chunk(b"ds64", struct.pack("<QQQI", 0, 2 * N, N, 0)),
            wav_chunk(b"fmt ", FORM),
            wav_chunk(b"data", b"", 2**31),
            hole=2**31,
        ),
        SPARSE,
        "the model takes shape (64,), not (1073741824,)",
    ),
    "endless.wav": (
        wav(
            wav_chunk(b"fmt ", ENDLESS),
            wav_chunk(b"data", bytes(14) + wav_chunk(b"data", b"", 2**31), 2 * N),
            bytes(2 * N),
            hole=0,
        ),
        SPARSE,
        "",
    ),
    "long.wav": (
        wav(
            wav_chunk(b"ds64", struct.pack("<QQQI", 2**40, 2**40, 2**39, 0)),
            wav_chunk(b"fmt ", FORM),
            wav_chunk(b"data", b"", 2**32 - 1),
            riff=b"RF64",
        ),
        SPARSE,
        "it ends early: chunk 'data' should have 1099511627776 bytes",
    ),
}


def lying_images():
    text = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(7_900_000), 9))
    baseline = jpeg(8, 8)
    scan = baseline[baseline.index(b"\xff\xda") : -2]
    return {
        "good.png": (png(8, 8, text * 1500), 0, None),
        "excess.png": (png(8, 8, excess=2**27), 0, "8 x 8 pixels cannot have"),
        "webp.png": (b"RIFF\x1a\0\0\0WEBPVP8L" + bytes(18), 0, "it is no BMP, GIF, JPEG or PNG"),
        "scans.jpg": (baseline[:-2] + scan * 2000, 0, "the JPEG has more than 1000 scans"),
        "short.bmp": (bmp(8, 8)[:30], 0, "the image ends early"),
        "short.png": (png(8, 8)[:20], 0, "the image ends early"),
        "chunk.png": (png(8, 8)[:33] + b"\xff\xff\xff\xffteXt", 0, "the image ends early"),
    }


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted otherwise")
@pytest.mark.parametrize("kind", ["npy", "png"])
def test_no_length_in_a_header_is_believed(tmp_path, kind):
    """Believed, most of these files would take gigabytes, or minutes to hours."""
    (tmp_path / "files").mkdir()
    lying = LYING_SOUNDS if kind == "npy" else lying_images()
    for name, (content, size, _) in lying.items():
        (tmp_path / "files" / name).write_bytes(content)
        if size:
            os.truncate(tmp_path / "files" / name, size)
    small = f"{tmp_path}/small.{kind}"
    if kind == "npy":
        np.save(small, signals(1)[0])
    else:
        (tmp_path / "small.png").write_bytes(png(8, 8))
    bad, kilobytes = bad_and_memory(small, f"{tmp_path}/files/*", tmp_path / "features")
    bad = {os.path.basename(name): reason for name, reason in bad.items()}
    reasons = {name: reason for name, (_, _, reason) in lying.items() if reason is not None}
    assert bad.keys() == reasons.keys()
    for name, reason in reasons.items():
        assert reason in bad[name], name
        assert len(bad[name]) <= 500
    assert kilobytes < 100_000


def bad_and_memory(small, source, features):
    """Of a process of its own, which has read a small file first; in kilobytes."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LARGE, small, str(source), str(features)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    bad, kilobytes = run.stdout.splitlines()
    return ast.literal_eval(bad), int(kilobytes)


def test_wav_files_of_all_sorts_are_measured_right(layer, tmp_path):
    (x,) = signals(1)
    whole = (x * 2**15).astype("<i2").tobytes()

    def sound(riff=b"RIFF", before=b"", size=None, after=b"", data=whole, order="<", width=2):
        form = struct.pack(f"{order}HHIIHH", 1, 1, RATE, width * RATE, width, 8 * width)
        body = before + b"fmt " + struct.pack(f"{order}I", 16) + form + b"data"
        body += struct.pack(f"{order}I", len(data) if size is None else size) + data + after
        total = 0xFFFFFFFF if riff == b"RF64" else 4 + len(body)
        return riff + struct.pack(f"{order}I", total) + b"WAVE" + body

    long = struct.pack("<QQQI", 4 + 36 + 24 + len(whole), len(whole), N, 0)
    good = {
        "plain": sound(),
        "picture before": sound(before=wav_chunk(b"JUNK", bytes(7777))),
        "text behind": sound(after=wav_chunk(b"LIST", b"INFO")),
        "other lengths": sound(before=wav_chunk(b"ds64", bytes(28))),
        "zeros behind": sound() + bytes(100_000),  # of a device that writes in blocks
        "three bytes": sound(data=re.sub(b"(?s)(..)", b"\\0\\1", whole), width=3),
        "rf64": sound(b"RF64", wav_chunk(b"ds64", long), 0xFFFFFFFF),
        "rifx": sound(b"RIFX", order=">", data=np.frombuffer(whole, "<i2").astype(">i2").tobytes()),
    }
    bad = {
        "cut": sound()[:-2],
        "promise": sound(size=4 * N, data=whole),
        "twice": sound(after=b"data" + struct.pack("<I", 2 * N) + whole),
        "no data": sound()[:36],
        "two formats": sound(before=wav_chunk(b"fmt ", FORM)),
        "cut behind": sound(after=wav_chunk(b"LIST", b"INFO"))[:-2],
    }
    for name, content in {**good, **bad}.items():
        (tmp_path / f"{name}.wav").write_bytes(content)
    assert set(bad_ones(f"{tmp_path}/*.wav", layer, tmp_path / "features")) == {
        f"{name}.wav" for name in bad
    }
    expected = layer(np.frombuffer(whole, "<i2")[None] / 2**15)[0]
    files = {f"{tmp_path}/{name}.wav": expected for name in good}
    assert_stored(tmp_path / "features", files, atol=1e-6)

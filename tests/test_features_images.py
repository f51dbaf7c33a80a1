"""Images of all kinds have the same pixels, in colours and in grey."""

import io
import struct
import zlib

import numpy as np
import pytest
from extracted import bad_ones
from PIL import Image

from keras_scattering import Scattering2D
from keras_scattering.features import extract
from keras_scattering.features.items import Reader

SIZE = (8, 9)
KINDS = ("png", "gif", "bmp", "jpeg")


def image(pixels, kind, **options):
    file = io.BytesIO()
    made = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    made.save(file, kind, **options)
    return file.getvalue()


def colours():
    """Gentle enough for JPEG, and few enough for GIF."""
    place = np.add.outer(np.arange(SIZE[0]), np.arange(SIZE[1]))
    return np.stack([40 + 9 * place, 200 - 8 * place, 90 + 5 * place], -1).astype("uint8")


def read(content, kind, *shape):
    """The array of a good image, or the reason why it is bad."""
    good, bad = Reader(shape, "float32").read_all([f"a.{kind}"], [content])
    return [*good.values(), *bad.values()][0]


def grey(pixels):
    return pixels @ [0.299, 0.587, 0.114]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_file_has_the_same_greys(kind):
    best = {"quality": 100, "subsampling": 0} if kind == "jpeg" else {}
    content = image(colours(), kind, **best)
    expected = read(image(colours(), "png"), "png", *SIZE)
    np.testing.assert_allclose(expected, grey(colours()), atol=1.01)  # it rounds down
    for shape in (SIZE, (*SIZE, 1)):
        value = read(content, kind, *shape)
        assert value.shape == shape
        np.testing.assert_allclose(value.reshape(SIZE), expected, atol=3 if kind == "jpeg" else 0)
    # TensorFlow unpacks JPEGs by a fast transform, which is off by some levels.
    value = read(content, kind, *SIZE, 3)
    np.testing.assert_allclose(value, colours(), atol=9 if kind == "jpeg" else 0)


@pytest.mark.parametrize("kind", KINDS)
def test_greys_stay_as_they_are(kind):
    pixels = np.arange(256, dtype="uint8").reshape(16, 16)
    for content in (image(pixels, kind), image(np.stack([pixels] * 3, -1), kind)):
        value = read(content, kind, 16, 16)
        np.testing.assert_allclose(value, pixels, atol=8 if kind == "jpeg" else 0)


@pytest.mark.slow
def test_images_without_channels_of_all_kinds_are_done(tmp_path):
    layer = Scattering2D(J=1, L=2)
    layer.build((None, *SIZE))
    for kind in KINDS:
        (tmp_path / f"colours.{kind}").write_bytes(image(colours(), kind))
        (tmp_path / f"grey.{kind}").write_bytes(image(colours()[..., 0], kind))
    assert extract(f"{tmp_path}/*.*", layer, tmp_path / "f", verbose=False) == (8, 0, {})


@pytest.mark.parametrize("name", [b"gAMA", b"sRGB", b"zTXt"])
def test_a_png_has_the_same_greys_whatever_it_says_of_itself(name):
    data = {b"gAMA": struct.pack(">I", 45455), b"sRGB": b"\0", b"zTXt": b"a\0\0no such data"}[name]
    chunk = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    png = image(colours(), "png")
    expected = read(png, "png", *SIZE)
    np.testing.assert_array_equal(read(png[:33] + chunk + png[33:], "png", *SIZE), expected)


def test_a_png_keeps_its_palette_and_its_transparency():
    quantized = Image.fromarray(colours()).quantize(256)
    png = image(quantized, "png", transparency=bytes(range(256)))
    assert b"PLTE" in png
    assert b"tRNS" in png
    value = read(png, "png", *SIZE, 4)
    np.testing.assert_array_equal(value[..., :3], colours())
    np.testing.assert_array_equal(value[..., 3], np.asarray(quantized))


def test_bmp_files_that_would_have_other_pixels_are_bad(tmp_path):
    layer = Scattering2D(J=1, L=2)
    layer.build((None, *SIZE))
    good = image(colours(), "bmp")
    opaque = np.concatenate([colours(), np.full((*SIZE, 1), 255, "uint8")], -1)
    masks = image(opaque, "bmp")
    # The header of 40 bytes is followed by places of red, green and blue.
    masks = masks[:10] + struct.pack("<I", 66) + masks[14:30] + struct.pack("<I", 3) + masks[34:54]
    pixels = image(opaque, "bmp")[-4 * SIZE[0] * SIZE[1] :]
    right, turned = ((0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000))
    files = {
        "good": good,
        "masks": masks + struct.pack("<III", *right) + pixels,
        "palette": image(Image.fromarray(colours()).quantize(256), "bmp"),
        "compressed": good[:30] + struct.pack("<I", 1) + good[34:],
        "turned": masks + struct.pack("<III", *turned) + pixels,
    }
    for name, content in files.items():
        (tmp_path / f"{name}.bmp").write_bytes(content)
    assert bad_ones(f"{tmp_path}/*.bmp", layer, tmp_path / "features") == {
        "palette.bmp": "ValueError: the BMP has a palette of colours",
        "compressed.bmp": "ValueError: the BMP is compressed, or has its own order of colours",
        "turned.bmp": "ValueError: the BMP is compressed, or has its own order of colours",
    }
    np.testing.assert_array_equal(
        read(files["masks"], "bmp", *SIZE), read(files["good"], "bmp", *SIZE)
    )

"""Sizes of images, without decoding, and pixels, from no more of a file than they need."""

import struct

import numpy as np
import tensorflow as tf

_PALETTE = 0x80  # flag of a GIF with a palette; the last three bits give the palette's length
_LEVELS = bytes(range(256))
_COLOURS = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)  # places of red, green and blue in a BMP
_SPARE = 2**16  # bytes allowed in a PNG besides its pixels
_SCANS = 1000  # of a JPEG; a decoder works on all pixels for each, however short it is
_LUMA = (9797, 19234, 3737)  # of red, green and blue, in 2**15, as the decoder of PNG has them

Measured = tuple[tuple[int, int], bytes]


def measure(contents: bytes) -> Measured:
    """Height and width of an image, and as much of the image as a decoder needs."""
    kinds = {b"\x89PNG": _png, b"GIF8": _gif, b"BM": _bmp, b"\xff\xd8\xff": _jpeg}
    for magic, kind in kinds.items():
        if contents.startswith(magic):
            try:
                return kind(contents)
            except (IndexError, struct.error):
                raise ValueError("the image ends early") from None
    raise ValueError("it is no BMP, GIF, JPEG or PNG image")


def decode(contents: bytes, channels: int) -> np.ndarray:
    """Pixels with so many channels, 1 for grey; with 0, as many as the image has."""
    grey = channels == 1 and contents.startswith((b"GIF", b"BM"))  # TensorFlow makes none of these
    pixels = tf.io.decode_image(contents, 3 if grey else channels, expand_animations=False).numpy()
    if not grey:
        return pixels
    return (pixels.astype("int32") @ np.array(_LUMA, "int32") >> 15).astype("uint8")


def _png(png: bytes) -> Measured:
    """Without chunks that make no pixels. Some unpack for minutes, and others change greys."""
    width, height = struct.unpack_from(">II", png, 16)
    kept, at, name = [png[:8]], 8, b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", png, at)
        start, at = at, at + 12 + length
        if name[:1].isupper() or name == b"tRNS":
            kept.append(png[start:at])
    if at > len(png):
        raise IndexError
    contents = b"".join(kept)
    if len(contents) > 16 * height * width + _SPARE:
        raise ValueError(f"{height} x {width} pixels cannot have {len(contents)} bytes of data")
    return (height, width), contents


def _jpeg(jpeg: bytes) -> Measured:
    if jpeg.count(b"\xff\xda") > _SCANS:
        raise ValueError(f"the JPEG has more than {_SCANS} scans")
    height, width, _ = tf.io.extract_jpeg_shape(jpeg).numpy().tolist()
    return (height, width), jpeg


def _bmp(bmp: bytes) -> Measured:
    """Refuse colours that TensorFlow would get wrong in silence."""
    offset, header, width, height, bits, packing = struct.unpack_from("<10xIIii2xHI", bmp)
    if packing and (packing, bmp[54:66]) != (3, _COLOURS):
        raise ValueError("the BMP is compressed, or has its own order of colours")
    palette = bmp[14 + header : min(offset, 14 + header + 1024)] if bits == 8 else b""
    if not all(_LEVELS.startswith(palette[i::4]) for i in range(3)):
        raise ValueError("the BMP has a palette of colours")
    return (abs(height), width), bmp  # one with a negative height begins at the top


def _gif(gif: bytes) -> Measured:
    """Up to the first frame, since a decoder unpacks all frames."""
    at = 13 + _colours(gif[10])
    while gif[at] == 0x21:  # extensions
        at = _behind_blocks(gif, at + 2)
    if gif[at] != 0x2C:
        raise ValueError("the GIF has no frame where one should be")
    width, height = struct.unpack_from("<HH", gif, at + 5)
    end = _behind_blocks(gif, at + 11 + _colours(gif[at + 9]))
    return (height, width), gif[:end] + b";"


def _colours(flags: int) -> int:
    """Bytes of a GIF's palette."""
    return 3 << (flags & 7) + 1 if flags & _PALETTE else 0


def _behind_blocks(gif: bytes, at: int) -> int:
    """Position after a chain of blocks; each block begins with its length."""
    while gif[at]:
        at += gif[at] + 1
    return at + 1

"""Checks of arguments; each message names the argument, the allowed values, and the value."""

import math
import numbers
import warnings
from typing import Any

import keras
import numpy as np

MEANS = ("global", "signal")  # over the padded signal, and over the signal's own samples
_SHOWN = 200  # characters of a value in a message
PADDINGS = ("reflect", "symmetric", "zero", "periodic", "none")
# Larger values suit no useful signal, and the design would fill the memory or overflow.
LARGEST_J = 62  # 2**62 samples
LARGEST_J_BOX = 20  # 2**20 voxels along an axis
LARGEST_J_FR = 16  # 2**16 wavelets
LARGEST_COUNT = 256  # wavelets per octave, angles per half turn
LARGEST_DEGREE = 128
LARGEST_SIZE = 2**30  # samples per signal
USUAL_COUNT = 32  # wavelets per octave; more are of use at large scales only

MIGRATION = (
    "A layer takes the size of its signals from its input, and computes by TensorFlow: "
    "docs/migration.md has the counterpart of each argument."
)
_SHAPE = f"A shape in its place is Kymatio's order of arguments. {MIGRATION}"


def shown(value: Any) -> str:
    """A value for a message, on one line and cut where it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def positive_int(name: str, value: Any, largest: float = math.inf, hint: str = "") -> int:
    """An integer of at least 1; a hint follows what is allowed."""
    return _integer(name, value, 1, largest, hint)


def natural(name: str, value: Any) -> int:
    """An integer of at least 0."""
    return _integer(name, value, 0)


def _integer(name: str, value: Any, least: int, largest: float = math.inf, hint: str = "") -> int:
    """An integer within bounds."""
    if not (is_int(value) and value >= least):
        allowed = f"an integer of at least {least}"
    elif value > largest:
        allowed = f"at most {largest}"
    else:
        return int(value)
    raise ValueError(f"Argument `{name}` must be {allowed}.{hint} Received: {name}={shown(value)}")


def second_int(name: str, value: Any, largest: int) -> int:
    """An integer of at least 1, in the place where Kymatio's layers take the shape of signals."""
    shape = isinstance(value, (tuple, list)) or (is_int(value) and value > largest)
    return positive_int(name, value, largest, f" {_SHAPE}" if shape else "")


def optional_natural(name: str, value: Any, largest: float = math.inf) -> int | None:
    """None, or an integer of at least 0."""
    if value is None:
        return None
    if not is_int(value) or not 0 <= int(value) <= largest:
        allowed = "of at least 0" if largest == math.inf else f"from 0 to {largest}"
        raise ValueError(
            f"Argument `{name}` must be None or an integer {allowed}. "
            f"Received: {name}={shown(value)}"
        )
    return int(value)


def is_int(value: Any) -> bool:
    """Whether a value is an integer, of Python or of NumPy."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_positive_int(value: Any) -> bool:
    return is_int(value) and value >= 1


def _number(value: Any) -> float:
    """A real number as a float: infinity if it is too large, and NaN for other types."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_positive(value: Any) -> bool:
    return 0 < _number(value) < math.inf


def positive(name: str, value: Any) -> float:
    """A positive, finite number."""
    if not _is_positive(value):
        raise ValueError(
            f"Argument `{name}` must be a positive number. Received: {name}={shown(value)}"
        )
    return float(value)


def nonnegative(name: str, value: Any) -> float:
    """A finite number of at least 0."""
    if not 0 <= _number(value) < math.inf:
        raise ValueError(
            f"Argument `{name}` must be a number of at least 0. Received: {name}={shown(value)}"
        )
    return float(value)


def interval(name: str, value: Any) -> tuple[float, float]:
    """A pair of numbers, the first less than the second; None stands for an open side."""
    pair = tuple(value) if isinstance(value, (tuple, list)) and len(value) == 2 else (0, 0)
    low, high = (
        end if number is None else _number(number)
        for number, end in zip(pair, (-math.inf, math.inf), strict=True)
    )
    if not low < high:
        raise ValueError(
            f"Argument `{name}` must be a pair (low, high) of numbers, low < high, with None for "
            f"an open side. Received: {name}={shown(value)}"
        )
    return low, high


def positives(name: str, value: Any) -> tuple[float, ...]:
    """A sequence of positive numbers."""
    if not isinstance(value, (tuple, list)) or not value or not all(map(_is_positive, value)):
        raise ValueError(
            f"Argument `{name}` must be a tuple of positive numbers. "
            f"Received: {name}={shown(value)}"
        )
    return tuple(float(number) for number in value)


def sizes(
    name: str, value: Any, allowed: str = "a tuple of sizes", count: int | None = None
) -> tuple[int, ...]:
    """A sequence of sizes, of any length or of one; `allowed` says so in words."""
    try:
        plain = tuple(value[i] for i in range(len(value)))
    except (KeyError, TypeError):  # without length or order
        plain = ()
    right = len(plain) == count if count else len(plain) > 0
    if not (right and all(map(_is_positive_int, plain))):
        raise ValueError(
            f"Argument `{name}` must be {allowed}, integers of at least 1. "
            f"Received: {name}={shown(value)}"
        )
    return tuple(map(int, plain))


def boolean(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise ValueError(
            f"Argument `{name}` must be True or False. Received: {name}={shown(value)}"
        )
    return value


def is_real(dtype: Any) -> bool:
    """Whether arrays of a NumPy type hold real numbers, those of half precision among them."""
    return np.can_cast(dtype, "float64", "same_kind")


def reals(name: str, value: Any) -> np.ndarray:
    """An array of real numbers, in double precision."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of unlike length
        raise not_real(name, value) from error
    if not is_real(array.dtype):
        raise not_real(name, value)
    return array.astype("float64")


def signals(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A finite array of real numbers of one shape, in double precision."""
    array = reals(name, value)
    if array.shape != shape:
        raise ValueError(
            f"Argument `{name}` must have shape {shape}. Received: shape {array.shape}"
        )
    return finite(name, array)


def refuse_beyond(name: str, sizes: Any, precision: str, squared: bool = False) -> None:
    """Refuse signals of a size whose last digits, or those of its square, a precision loses."""
    sizes, held = np.atleast_1d(sizes), np.finfo(precision)
    least, most = held.tiny / held.eps, held.max * held.eps
    if squared:
        least, most = np.sqrt(least), np.sqrt(most)
    beyond = sizes[~((sizes >= least) & (sizes <= most))]
    if len(beyond):
        what = "whose squares" if squared else "which"
        raise ValueError(
            f"Argument `{name}` must be of signals of a size from {least:.0e} to {most:.0e}, "
            f"{what} {precision} holds with all their digits: scale them, or make the layer in "
            f"float64. Received: {name} of signals of size {beyond[0]:.0e}"
        )


def finite(name: str, array: np.ndarray) -> np.ndarray:
    """An array without NaN or infinity."""
    if not np.isfinite(array).all():
        raise ValueError(f"Argument `{name}` must be finite. Received: NaN or infinity in it")
    return array


def not_real(name: str, value: Any) -> ValueError:
    """The error for an argument that is no array of real numbers."""
    kind = getattr(value, "dtype", None)
    came = shown(value) if kind is None else f"{type(value).__name__} of type {kind}"
    return ValueError(f"Argument `{name}` must be an array of real numbers. Received: {came}")


def one_of(name: str, value: Any, allowed: tuple) -> Any:
    """One of a few values."""
    plain = int(value) if is_int(value) else value
    if not any(type(plain) is type(a) and plain == a for a in allowed):
        raise ValueError(
            f"Argument `{name}` must be one of {', '.join(map(repr, allowed))}. "
            f"Received: {name}={shown(value)}"
        )
    return plain


def per_octave(name: str, value: Any, J: int) -> tuple[int, int]:
    """Wavelets per octave of the first and the second order; one integer stands for itself and 1.

    It warns of more wavelets than the largest scale of 2**J samples can tell apart. From about
    1.5 * 2**J per octave, all of them respond to the lowest frequencies alone. A number of samples,
    which Kymatio's layers take in this place, is such a number too.
    """
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, 1)
    if len(pair) != 2 or not all(map(_is_positive_int, pair)):
        hint = f" {_SHAPE}" if isinstance(value, (tuple, list)) else ""
        raise ValueError(
            f"Argument `{name}` must be an integer of at least 1, or a pair of them.{hint} "
            f"Received: {name}={shown(value)}"
        )
    first, second = (second_int(name, number, LARGEST_COUNT) for number in pair)
    if max(pair) >= max(2**J, USUAL_COUNT):
        warnings.warn(
            f"Argument `{name}` asks for more wavelets per octave than the largest scale, "
            f"2**J = {2**J} samples, tells apart. {_SHAPE} Received: {name}={value}, J={J}",
            stacklevel=3,
        )
    return first, second


def support(
    name: str, value: Any, means: tuple[str, ...], limit: float = math.inf, limit_name: str = ""
) -> float | str | None:
    """The support of an average: None, the name of a mean, 0, or a number of samples from 1."""
    if value is None or (isinstance(value, str) and value in means):
        return value
    number = _number(value)
    if not (number == 0 or 1 <= number < math.inf):
        raise ValueError(
            f"Argument `{name}` must be None, {', '.join(map(repr, means))}, 0, or a number of "
            f"samples of at least 1. Received: {name}={shown(value)}"
        )
    if number > limit:
        raise ValueError(
            f"Argument `{name}` must be at most {limit_name} = {limit}. "
            f"Received: {name}={shown(value)}"
        )
    return int(value) if is_int(value) else number


def step(name: str, value: Any, support_name: str, support: Any, log2_default: int) -> int | None:
    """An output step, a power of two within the support of the average; None takes the largest."""
    if value is None:
        return None
    if isinstance(support, str) or support == 0:
        raise ValueError(
            f"Argument `{name}` has no meaning with {support_name}={support!r}: leave it None. "
            f"Received: {name}={shown(value)}"
        )
    value = positive_int(name, value)
    limit = default_step(support, log2_default)
    if value & (value - 1) or value > limit:
        raise ValueError(
            f"Argument `{name}` must be a power of two, at most {limit} "
            f"(from {support_name}={support!r}). Received: {name}={shown(value)}"
        )
    return value


def default_step(support: Any, log2_default: int) -> int:
    """The largest power of two within the support of an average."""
    return 2 ** (math.floor(math.log2(support)) if support else log2_default)


def data_format(value: Any) -> str:
    """A Keras data format; None stands for Keras' setting."""
    if value is None:
        return keras.config.image_data_format()
    return one_of("data_format", value, ("channels_last", "channels_first"))

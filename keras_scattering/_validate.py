"""Checks of arguments. Each message names the argument, what is allowed, and what came."""

import math
import numbers
from typing import Any

import keras

PADDINGS = ("reflect", "symmetric", "zero", "periodic", "none")


def positive_int(name: str, value: Any) -> int:
    """An integer of at least 1."""
    if not _is_positive_int(value):
        raise ValueError(
            f"Argument `{name}` must be an integer of at least 1. Received: {name}={value!r}"
        )
    return int(value)


def _is_positive_int(value: Any) -> bool:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return whole and int(value) >= 1


def _is_positive(value: Any) -> bool:
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return number and 0 < float(value) < math.inf


def positive(name: str, value: Any) -> float:
    """A positive, finite number."""
    if not _is_positive(value):
        raise ValueError(f"Argument `{name}` must be a positive number. Received: {name}={value!r}")
    return float(value)


def positives(name: str, value: Any) -> tuple[float, ...]:
    """A sequence of positive numbers."""
    if not isinstance(value, (tuple, list)) or not value or not all(map(_is_positive, value)):
        raise ValueError(
            f"Argument `{name}` must be a tuple of positive numbers. Received: {name}={value!r}"
        )
    return tuple(float(number) for number in value)


def boolean(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"Argument `{name}` must be True or False. Received: {name}={value!r}")
    return value


def one_of(name: str, value: Any, allowed: tuple) -> Any:
    """One of a few values."""
    if not any(type(value) is type(a) and value == a for a in allowed):
        raise ValueError(
            f"Argument `{name}` must be one of {', '.join(map(repr, allowed))}. "
            f"Received: {name}={value!r}"
        )
    return value


def int_or_pair(name: str, value: Any) -> tuple[int, int]:
    """An integer, which stands for itself and 1, or a pair; for the first and the second order."""
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, 1)
    if len(pair) != 2 or not all(map(_is_positive_int, pair)):
        raise ValueError(
            f"Argument `{name}` must be an integer of at least 1, or a pair of them. "
            f"Received: {name}={value!r}"
        )
    return int(pair[0]), int(pair[1])


def support(
    name: str, value: Any, limit: float = math.inf, limit_name: str = ""
) -> float | str | None:
    """The support of an average: None, "global", 0, or a number of samples of at least 1."""
    if value is None or (isinstance(value, str) and value == "global"):
        return value
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    number = float(value) if real else math.nan
    if not (number == 0 or 1 <= number < math.inf):
        raise ValueError(
            f"Argument `{name}` must be None, 'global', 0, or a number of samples of at least 1. "
            f"Received: {name}={value!r}"
        )
    if number > limit:
        raise ValueError(
            f"Argument `{name}` must be at most {limit_name} = {limit}. Received: {name}={value!r}"
        )
    return int(number) if isinstance(value, numbers.Integral) else number


def step(name: str, value: Any, support_name: str, support: Any, log2_default: int) -> int | None:
    """An output step: a power of two within the support of the average, or None for the largest."""
    if value is None:
        return None
    if support == "global" or (support is not None and support == 0):
        raise ValueError(
            f"Argument `{name}` has no meaning with {support_name}={support!r}: leave it None. "
            f"Received: {name}={value!r}"
        )
    value = positive_int(name, value)
    limit = default_step(support, log2_default)
    if value & (value - 1) or value > limit:
        raise ValueError(
            f"Argument `{name}` must be a power of two, at most {limit} "
            f"(from {support_name}={support!r}). Received: {name}={value!r}"
        )
    return value


def default_step(support: Any, log2_default: int) -> int:
    """The largest power of two within the support of an average."""
    return 2 ** (math.floor(math.log2(support)) if support else log2_default)


def data_format(value: Any) -> str:
    """A Keras data format, None standing for the one Keras is set to."""
    if value is None:
        return keras.config.image_data_format()
    return one_of("data_format", value, ("channels_last", "channels_first"))

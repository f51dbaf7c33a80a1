"""The averages that end a path."""

import dataclasses

from keras_scattering.plans.banks import Bank, Box


@dataclasses.dataclass(frozen=True)
class LowPass:
    """An average by real matrices, one per axis, which give the kept output samples.

    `matrices[a]` names an array (inputs, outputs). Where `blocks` > 1 (in one dimension only) the
    signal is cut into that many frames. An array (inputs, 3 * outputs) then takes a frame to what
    it adds to the frame before it, to its own, and to the one after; `keep` is cut out of the sum.
    """

    matrices: tuple[str, ...]
    blocks: int = 1
    keep: tuple[int, int] = (0, 0)


@dataclasses.dataclass(frozen=True)
class SpectralLowPass:
    """An average by multiplication in Fourier, for an output step far below the low-pass."""

    bank: Bank
    keep: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Mean:
    """The mean over a part of the grid, [start, stop) per axis."""

    keep: Box


@dataclasses.dataclass(frozen=True)
class Crop:
    """No average: the part of the grid that the unpadded signal covers, [start, stop) per axis."""

    keep: Box


@dataclasses.dataclass(frozen=True)
class Powers:
    """Sums over the grid of powers of a signal, which its filters have made of unit size.

    Small filters would make signals whose squares vanish. So filters are divided by their peaks,
    and the sums are those of `gain` times the signal.
    """

    exponents: tuple[float, ...]
    gain: float = 1.0


Average = LowPass | SpectralLowPass | Mean | Crop | Powers

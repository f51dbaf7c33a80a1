"""Refusals of designs that no machine could hold, before they are begun."""

import os

LARGEST_PATHS = 2**20


def memory() -> int:
    """Bytes of memory of this machine, or 2**36 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 2**36


def refuse_design(numbers: int, size: tuple[int, ...]) -> None:
    """Refuse a design that would hold so many numbers of 8 bytes at once."""
    needed, there = 8 * numbers, memory()
    if needed > there:
        raise ValueError(
            f"The filters for signals of size {size} would take about {needed:,} bytes while they "
            f"are designed, and this machine has {there:,}: take smaller signals, or fewer "
            f"filters. Received: signals of size {size}"
        )


def refuse_paths(paths: int) -> None:
    """Refuse a transform of so many paths."""
    if paths > LARGEST_PATHS:
        raise ValueError(
            f"The transform would have {paths:,} paths, {4 * paths:,} bytes for each place of its "
            f"output: take fewer scales, wavelets or angles, so that there are at most "
            f"{LARGEST_PATHS:,}. Received: arguments that make {paths:,} paths"
        )

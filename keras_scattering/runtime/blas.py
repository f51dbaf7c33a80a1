"""One thread for SciPy's linear algebra where its operations are short.

L-BFGS takes hundreds of dot products of some ten thousand numbers between two evaluations. OpenBLAS
divides each among threads, which then wait for the next one at full speed, and take the cores from
TensorFlow. A step of 16,384 numbers took 168 ms of a loaded machine with two cores, and 8 ms with
one thread. SciPy has no setting for it, so this asks the OpenBLAS that SciPy's wheels bring.
"""

import contextlib
import ctypes
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import scipy

_FOLDERS = ("../scipy.libs", ".dylibs")  # of Linux and Windows, and of macOS
_NAMES = ("scipy_openblas_{}_num_threads", "openblas_{}_num_threads")


@functools.cache
def _setting(root: Path) -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """The functions that get and set the number of threads, if SciPy has an OpenBLAS of its own."""
    for path in (path for folder in _FOLDERS for path in (root / folder).glob("*openblas*")):
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(str(path.resolve()))
            for name in (name + suffix for name in _NAMES for suffix in ("", "64_")):
                if hasattr(library, name.format("set")):
                    return getattr(library, name.format("get")), getattr(
                        library, name.format("set")
                    )
    return None


@contextlib.contextmanager
def on_one_thread(root: Path = Path(scipy.__file__).parent) -> Iterator[None]:
    """Let SciPy's OpenBLAS use one thread for a while; without one, nothing changes.

    Args:
        root: Folder of SciPy.
    """
    setting = _setting(root)
    if setting is None:
        yield
        return
    get, put = setting
    before = get()
    put(1)
    try:
        yield
    finally:
        put(before)

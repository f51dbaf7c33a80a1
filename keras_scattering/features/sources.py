"""The files that a source names."""

import glob
import os
from typing import Any


def files(source: Any) -> dict[str, str]:
    """Paths by id, of a glob or a list."""
    if isinstance(source, (str, os.PathLike)):
        names = sorted(glob.glob(os.fspath(source), recursive=True))
    elif isinstance(source, (list, tuple)) and all(
        isinstance(name, (str, os.PathLike)) for name in source
    ):
        names = [os.fspath(name) for name in source]
    else:
        raise ValueError(
            "Argument `source` must be a glob, a list of paths, or a Ray dataset. "
            f"Received: source={source!r}"
        )
    if not names:
        raise ValueError(f"Argument `source` must name some files. Received: source={source!r}")
    return {name: os.path.abspath(name) for name in names}

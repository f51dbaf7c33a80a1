"""The files that a source names."""

import functools
import glob
import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any

from keras_scattering import _validate
from keras_scattering.features.ids import refuse_twice


def files(source: Any) -> dict[str, str]:
    """Paths by id, from a glob or a list."""
    if isinstance(source, (str, os.PathLike)):
        _refuse_circles(os.fspath(source))
        names = sorted(set(glob.glob(os.fspath(source), recursive=True)))
    elif isinstance(source, (list, tuple)) and all(
        isinstance(name, (str, os.PathLike)) for name in source
    ):
        names = [os.fspath(name) for name in source]
        refuse_twice(names)
    else:
        raise ValueError(
            "Argument `source` must be a glob, a list of paths, or a Ray dataset. "
            f"Received: source={_validate.shown(source)}"
        )
    if not names:
        raise ValueError(
            f"Argument `source` must name some files. Received: source={_validate.shown(source)}"
        )
    aliases = [f"{first} and {name}" for first, name in _aliases(names)]
    if aliases:
        warnings.warn(
            f"{len(aliases)} of the files in `source` have two names, and will have a row for "
            f"each. The first are {'; '.join(aliases[:3])}",
            stacklevel=3,
        )
    return {name: os.path.abspath(name) for name in names}


def refuse_other_names(named: dict[str, str], there: frozenset[str]) -> None:
    """Refuse files that a folder of features has under names that the source does not give them."""
    missing = [name for name in named if name not in there]
    others = there - named.keys()
    pairs = [(x, y) for x, y in _aliases([*others, *missing]) if x in others and y in named]
    if pairs:
        first, name = pairs[0]
        raise ValueError(
            "Argument `source` must name files as before, or `folder` be another: a file under "
            f"another name would have a second row. Received: {len(pairs)} such files; {name!r} "
            f"is {first!r} in the folder"
        )


def _aliases(names: Iterable[str]) -> list[tuple[str, str]]:
    """Names of one file, by other spellings or through links of folders: the first and another.

    The search ignores links of single files, since they would take one disk access per file.
    """
    real = functools.cache(os.path.realpath)
    seen, aliases = {}, []
    for name in names:
        folder, file = os.path.split(os.path.abspath(name))
        first = seen.setdefault((real(folder), file), name)
        if first != name:
            aliases.append((first, name))
    return aliases


def _refuse_circles(pattern: str) -> None:
    """Refuse a glob that would follow links of folders in circles."""
    parts = PurePath(pattern).parts
    if "**" not in parts:
        return
    head = os.path.join("", *parts[: parts.index("**")])
    for root in glob.glob(head) if head else ["."]:
        for link in _circles(root):
            raise ValueError(
                "Argument `source` must not lead in circles: remove the link, or give a list of "
                f"files. Received: source={pattern!r}, with {link} -> {os.readlink(link)}"
            )


def _circles(root: str, passed: tuple[str, ...] = ()) -> Iterator[str]:
    """Links back to a folder that a recursive glob has passed on its way to them."""
    for folder, names, _ in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".")]
        for link in (os.path.join(folder, name) for name in names):
            if os.path.islink(link):
                way, target = (*passed, os.path.realpath(folder)), os.path.realpath(link)
                if any(Path(place).is_relative_to(target) for place in way):
                    yield link
                else:
                    yield from _circles(link, way)

"""A lock of a folder, which the operating system drops when the process that has it ends."""

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        # Of the open file, so that two threads of a process are told apart, as lockf() does not.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have a folder for oneself, which is refused where somebody else has it."""
    path = folder / ".lock"
    while True:
        file = _open_locked(path)
        # Who had the lock before has removed its file, perhaps after it was opened here.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), os.stat(path)):
                break
        os.close(file)
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):  # Windows removes nothing that is open
            path.unlink()
        os.close(file)


def _open_locked(path: Path) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        _lock(file)
    except (BlockingIOError, PermissionError):
        os.close(file)
        raise ValueError(
            "Argument `folder` must not be in use by another run of extract(): wait for its end, "
            f"or take another folder. Received: folder={str(path.parent)!r}"
        ) from None
    except OSError as error:
        warnings.warn(
            f"The folder {str(path.parent)!r} cannot be locked ({error}): see to it that one run "
            "at a time writes to it",
            stacklevel=2,
        )
    return file

"""A lock on a folder, which the operating system releases when its process ends."""

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
        # flock() locks the open file and tells two threads of a process apart; lockf() does not.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder; refuses if another run has the lock."""
    path = folder / ".lock"
    while True:
        file = _open_locked(path)
        # The previous owner of the lock removes its file, maybe after this process has opened it.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), os.stat(path)):
                break
        os.close(file)
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):  # Windows does not remove open files
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
            f"The folder {str(path.parent)!r} cannot be locked ({error}): make sure that only "
            "one run at a time writes to it",
            stacklevel=2,
        )
    return file

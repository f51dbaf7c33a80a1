"""Imports of what only some modules need, with the command that installs it."""

import contextlib
from collections.abc import Iterator

# The last requirement of each extra in pyproject.toml.
# It installs from any index, whether the package came from there or from a checkout.
REQUIREMENTS = {
    "features": "pyarrow>=17",
    "plot": "matplotlib>=3.9",
    "ray": "ray[data]>=2.60",
    "sklearn": "scikit-learn>=1.6",
}


@contextlib.contextmanager
def needed_by(user: str, extra: str) -> Iterator[None]:
    """Say who needs a missing import, and how to install it."""
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f'{user} needs the extra `{extra}`: pip install "{REQUIREMENTS[extra]}". '
            f"Received: {error}"
        ) from error

"""By which operations a part of a batch is computed."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Mode:
    """What is known of the place where signals are computed."""

    matrix: bool = False  # Fourier transforms are products with real matrices: there are no others
    xla: bool = False  # XLA compiles the operations
    one_thread: bool = False  # each operation runs on the thread of a CPU that has the part
    gradient: bool = False  # the results serve a gradient alone, and may leave out what it ignores

"""The mode of computation of a part of a batch."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Mode:
    """Where and for what purpose signals are computed; the engine chooses its operations by it."""

    matrix: bool = False  # the runtime has no Fourier transforms, only products with matrices
    xla: bool = False  # XLA compiles the operations
    one_thread: bool = False  # each operation runs on the one CPU thread that has the part
    gradient: bool = False  # the results serve only a gradient, and may omit values it ignores

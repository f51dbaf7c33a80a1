"""Time, memory and error of the layers beside Kymatio's front ends and the FFTs alone.

    python tests/benchmarks/benchmark.py --output docs/benchmarks

All contenders of a workload take turns in one process, so that a machine whose speed drifts slows
all of them alike; medians over the rounds are given. First calls (design, trace, compile, run) and
peak memory over the start are taken in a process of their own each. Kymatio's front ends take part
where they import, for which an environment of its own is best:

    pip install kymatio==0.3.0 "scipy<1.17" torch jax
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np


class Workload(NamedTuple):
    """A layer, its arguments, and an input: batch, size, channels (0 for none)."""

    layer: str
    arguments: dict
    batch: int
    size: tuple[int, ...]
    channels: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the input, channels last."""
        return (self.batch, *self.size, *([self.channels] if self.channels else []))

    def input(self) -> np.ndarray:
        """Noise, the same for all."""
        return np.random.default_rng(0).standard_normal(self.shape).astype("float32")


WORKLOADS = {
    "mnist": Workload("Scattering2D", {"J": 2, "L": 8}, 128, (32, 32)),
    "cifar": Workload("Scattering2D", {"J": 2, "L": 8}, 64, (32, 32), 3),
    "img128": Workload("Scattering2D", {"J": 3, "L": 8}, 8, (128, 128)),
    "img224": Workload("Scattering2D", {"J": 4, "L": 8}, 4, (224, 224)),
    "audio8k": Workload("Scattering1D", {"J": 6, "Q": 8}, 16, (2**13,)),
    "audio64k": Workload("Scattering1D", {"J": 8, "Q": 8}, 4, (2**16,)),
    "audio64kQ16J12": Workload("Scattering1D", {"J": 12, "Q": 16}, 2, (2**16,)),
    "vol32": Workload("HarmonicScattering3D", {"J": 2, "L": 3}, 4, (32, 32, 32)),
    "vol64": Workload("HarmonicScattering3D", {"J": 2, "L": 3}, 1, (64, 64, 64)),
    "joint64k": Workload("TimeFrequencyScattering", {"J": 8, "J_fr": 4, "Q": 8}, 1, (2**16,)),
}
# Workloads of which the peak memory is compared, with larger batches.
MEMORY = {"mnist": 512, "img224": 16, "audio64k": 16, "vol64": 4}

Call = Callable[[], np.ndarray]


def ours(workload: Workload, x: np.ndarray, *, jit: bool = False) -> Call:
    """A layer of this package in a `tf.function` for any batch, as in a Keras model."""
    import tensorflow as tf

    import keras_scattering

    layer = getattr(keras_scattering, workload.layer)(**workload.arguments)
    # As a model does; built while it is traced, a `tf.function` would be traced twice.
    layer.build((None, *x.shape[1:]))
    signature = [tf.TensorSpec((None, *x.shape[1:]), tf.float32)]
    function = tf.function(lambda x: layer(x), input_signature=signature, jit_compile=jit)
    tensor = tf.constant(x)
    return lambda: function(tensor).numpy()


def _kymatio(module: str, workload: Workload):
    arguments = dict(workload.arguments)
    shape = workload.size if len(workload.size) > 1 else workload.size[0]
    front = __import__(f"kymatio.{module}", fromlist=[workload.layer])
    return getattr(front, workload.layer)(shape=shape, **arguments)


def kymatio_tensorflow(workload: Workload, x: np.ndarray, *, jit: bool = False) -> Call:
    """Kymatio's TensorFlow front end in a `tf.function`."""
    import tensorflow as tf

    scattering = _kymatio("tensorflow", workload)
    function = tf.function(lambda x: scattering(x), jit_compile=jit)
    tensor = tf.constant(x)
    return lambda: function(tensor).numpy()


def kymatio_jax(workload: Workload, x: np.ndarray) -> Call:
    """Kymatio's JAX front end under `jax.jit`."""
    import jax

    scattering = _kymatio("jax", workload)
    function = jax.jit(lambda x: scattering(x))
    return lambda: np.asarray(function(x))


def kymatio_torch(workload: Workload, x: np.ndarray) -> Call:
    """Kymatio's PyTorch front end."""
    import torch

    scattering = _kymatio("torch", workload)
    tensor = torch.from_numpy(x)

    def call() -> np.ndarray:
        with torch.no_grad():
            return scattering(tensor).numpy()

    return call


CONTENDERS: dict[str, Callable[[Workload, np.ndarray], Call]] = {
    "ours": ours,
    "ours, XLA": lambda w, x: ours(w, x, jit=True),
    "Kymatio TF": kymatio_tensorflow,
    "Kymatio TF, XLA": lambda w, x: kymatio_tensorflow(w, x, jit=True),
    "Kymatio JAX": kymatio_jax,
    "Kymatio PyTorch": kymatio_torch,
}


def available(name: str, workload: Workload) -> bool:
    """Whether a contender can take part."""
    if name.startswith("ours"):
        return True
    if workload.layer == "TimeFrequencyScattering":
        return False  # in none of Kymatio's released front ends for these libraries
    module = {"TF": "tensorflow", "JAX": "jax", "PyTorch": "torch"}[name.split()[1].strip(",")]
    try:
        __import__(f"kymatio.{module}")
    except ImportError:
        return False
    return True


def prepare(name: str, workload: Workload) -> Call:
    """A contender ready to be called, its input in the layout it takes."""
    x = workload.input()
    if workload.channels and name.startswith("Kymatio"):
        x = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CONTENDERS[name](workload, x)


def floor(workload: Workload) -> Call:
    """The necessary FFTs alone, in an order of their own.

    One real transform of each real signal that is filtered further, one complex inverse transform
    of each filtered signal at the resolution where it is kept; in three dimensions, l + 1 of the
    2 l + 1 harmonics.
    """
    import tensorflow as tf

    import keras_scattering

    layer = getattr(keras_scattering, workload.layer)(**workload.arguments)
    plan = layer._make_plan(workload.size)
    rank = len(workload.size)
    forward = {1: tf.signal.rfft, 2: tf.signal.rfft2d, 3: tf.signal.rfft3d}[rank]
    inverse = {1: tf.signal.ifft, 2: tf.signal.ifft2d, 3: tf.signal.ifft3d}[rank]
    signals = workload.batch * max(workload.channels, 1)
    counts: dict[tuple, int] = {}
    design = plan.design(np.dtype("float32"))
    for branch in design.branches:
        for node in branch.nodes:
            size = node.bank.size
            filters = node.paths
            if rank == 3:
                filters = len(design.arrays[node.bank.filters]) // 2 + 1
            counts[inverse, size, filters] = counts.get((inverse, size, filters), 0) + 1
            if node.lines:
                counts[forward, size, node.paths] = counts.get((forward, size, node.paths), 0) + 1

    def timed() -> float:
        total = 0.0
        for (op, size, paths), count in counts.items():
            kind = tf.float32 if op is forward else tf.complex64
            x = tf.zeros((signals, paths, *size), kind)
            op(x)
            start = time.perf_counter()
            op(x)
            total += count * (time.perf_counter() - start)
        return total

    return timed


def first_call(name: str, workload: Workload) -> dict[str, float]:
    """Seconds of the first call and megabytes over the start, for this process."""
    for module in ("tensorflow", "keras", "jax", "torch"):
        if module == "tensorflow" or module in name.lower().replace("py", ""):
            __import__(module)
    if name.startswith("ours"):
        import keras_scattering  # noqa: F401
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    call = prepare(name, workload)
    call()
    seconds = time.perf_counter() - start
    for _ in range(3):
        call()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"first": seconds, "memory": (peak - before) / 1024}


def _in_fresh_process(name: str, workload: str, batch: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--fresh", name, workload, str(batch)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(run.stdout.splitlines()[-1]) if run.returncode == 0 else {}


def relative_error(y: np.ndarray, exact: np.ndarray, name: str) -> float | None:
    """Relative l2 error, Kymatio's axes brought in order; None where the shapes differ."""
    if name.startswith("Kymatio") and exact.ndim == y.ndim and exact.shape != y.shape:
        y = np.moveaxis(y, 1, -1)
    if name.startswith("Kymatio") and y.ndim == exact.ndim + 1:
        y = np.moveaxis(y, (1, 2), (-2, -1)).reshape(exact.shape)
    if y.shape != exact.shape:
        return None
    return float(np.linalg.norm(y - exact) / np.linalg.norm(exact))


def measure(key: str, rounds: int, names: list[str], fresh: bool) -> dict:
    """One workload: medians of interleaved rounds, errors, first calls and memory."""
    workload = WORKLOADS[key]
    calls, rows = {}, {}
    exact = ours(
        workload._replace(arguments={**workload.arguments, "dtype": "float64"}), workload.input()
    )()
    for name in names:
        if available(name, workload):
            try:
                calls[name] = prepare(name, workload)
                rows[name] = {"error": relative_error(calls[name](), exact, name)}
                calls[name]()
            except Exception as failure:  # a front end that fails is part of the picture
                calls.pop(name, None)
                rows[name] = {"failure": f"{type(failure).__name__}: {failure}"[:200]}
    ffts = floor(workload) if workload.layer != "TimeFrequencyScattering" else None
    times: dict[str, list[float]] = {name: [] for name in calls}
    floors = []
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(1e3 * (time.perf_counter() - start))
        if ffts:
            floors.append(1e3 * ffts())
    for name, samples in times.items():
        rows[name] |= {"ms": float(np.median(samples)), "all": samples}
    if fresh:
        for name in times:
            rows[name] |= {"first": _in_fresh_process(name, key, workload.batch).get("first")}
            if key in MEMORY:
                rows[name] |= {"memory": _in_fresh_process(name, key, MEMORY[key]).get("memory")}
    return {"contenders": rows, "floor": float(np.median(floors)) if floors else None}


def table(results: dict) -> str:
    """The results as Markdown."""
    names = [n for n in CONTENDERS if any(n in r["contenders"] for r in results.values())]

    def grid(title: str, field: str, form: str) -> list[str]:
        lines = [f"\n{title}\n", "| workload | " + " | ".join(names) + " |"]
        lines.append("|---" * (len(names) + 1) + "|")
        for key, result in results.items():
            cells = [result["contenders"].get(n, {}).get(field) for n in names]
            if any(c is not None for c in cells):
                shown = ["–" if c is None else format(c, form) for c in cells]
                lines.append(f"| {key} | " + " | ".join(shown) + " |")
        return lines

    lines = grid("Milliseconds a call, medians of interleaved rounds:", "ms", ".1f")
    lines += [
        "\nThe FFTs alone, ms: "
        + ", ".join(f"{k} {r['floor']:.1f}" for k, r in results.items() if r["floor"])
    ]
    lines += grid("Seconds of the first call:", "first", ".1f")
    lines += grid("Peak memory over the start, MB:", "memory", ".0f")
    lines += grid("Relative l2 error to our float64 result:", "error", ".1e")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--contenders", default=";".join(CONTENDERS), help="separated by ;")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-fresh", action="store_true", help="no first calls, no memory")
    parser.add_argument(
        "--output", type=pathlib.Path, help="folder for results.json and results.md"
    )
    parser.add_argument("--fresh", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fresh:
        name, key, batch = options.fresh
        print(json.dumps(first_call(name, WORKLOADS[key]._replace(batch=int(batch)))))
        return
    results = {}
    for key in options.workloads.split(","):
        results[key] = measure(
            key, options.rounds, options.contenders.split(";"), not options.no_fresh
        )
        brief = {n: round(r["ms"], 1) for n, r in results[key]["contenders"].items() if "ms" in r}
        print(key, brief, "FFTs", results[key]["floor"], flush=True)
    import tensorflow as tf

    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"TensorFlow {tf.__version__}, {datetime.date.today()}, {options.rounds} rounds."
    )
    text = machine + "\n" + table(results)
    print(text)
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "results.md").write_text(text)
        (options.output / "results.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()

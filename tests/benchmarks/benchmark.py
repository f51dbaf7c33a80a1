"""Time, memory and error of the layers beside Kymatio's front ends and the FFTs alone.

    python tests/benchmarks/benchmark.py --output docs/benchmarks

All contenders of a workload take turns in one process, so that a machine whose speed drifts slows
all of them alike; medians over the rounds are given. First calls (design, trace, compile, run) and
peak memory over the start are taken in a process of their own each. Four studies follow the table:
the latency of a single signal, training, the cost of a signal by the size of the batch, and the
cost of a sample by the size of the signal. Kymatio's front ends take part where they import, for
which an environment of its own is best:

    pip install -e . kymatio==0.3.0 "scipy<1.17" torch==2.13.0 jax matplotlib
"""

import argparse
import datetime
import itertools
import json
import os
import pathlib
import platform
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
FRESH = 3  # processes that measure a first call, or memory

Call = Callable[[], np.ndarray]


def _layer(workload: Workload, **arguments):
    """A layer of this package, built as a model does it: else it is traced twice."""
    import keras_scattering

    layer = getattr(keras_scattering, workload.layer)(**workload.arguments, **arguments)
    layer.build((None, *workload.shape[1:]))
    return layer


def ours(workload: Workload, x: np.ndarray, *, jit: bool = False, **arguments) -> Call:
    """A layer of this package in a `tf.function` for any batch, as in a Keras model."""
    import tensorflow as tf

    layer = _layer(workload, **arguments)
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
    "ours, jit_compile": lambda w, x: ours(w, x, jit_compile=True),  # the layer's argument
    "ours, XLA": lambda w, x: ours(w, x, jit=True),  # the whole graph
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
            _, bank = node.sources[0]
            size = bank.size
            filters = node.paths
            if rank == 3:
                filters = len(design.arrays[bank.filters]) // 2 + 1
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


def _peak() -> float:
    """Megabytes this process has taken at most. (`ru_maxrss` begins with those of its parent.)"""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status has no VmHWM")


def first_call(name: str, workload: Workload) -> dict[str, float]:
    """Seconds of the first call and megabytes over the start, for this process."""
    for module in ("tensorflow", "keras", "jax", "torch"):
        if module == "tensorflow" or module in name.lower().replace("py", ""):
            __import__(module)
    if name.startswith("ours"):
        import keras_scattering  # noqa: F401
    before = _peak()
    start = time.perf_counter()
    call = prepare(name, workload)
    call()
    seconds = time.perf_counter() - start
    for _ in range(3):
        call()
    return {"first": seconds, "memory": _peak() - before}


def _in_fresh_processes(name: str, workload: str, batch: int) -> dict[str, float]:
    """Medians of a few processes: what one takes for memory varies by a factor of two for some."""
    command = [sys.executable, __file__, "--fresh", name, workload, str(batch)]
    runs = [
        subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(FRESH)
    ]
    results = [json.loads(run.stdout.splitlines()[-1]) for run in runs if run.returncode == 0]
    keys = results[0] if results else ()
    return {key: float(np.median([result[key] for result in results])) for key in keys}


def relative_error(y: np.ndarray, exact: np.ndarray, name: str) -> float | None:
    """Relative l2 error, Kymatio's axes brought in order; None where the shapes differ."""
    if name.startswith("Kymatio") and exact.ndim == y.ndim and exact.shape != y.shape:
        y = np.moveaxis(y, 1, -1)
    if name.startswith("Kymatio") and y.ndim == exact.ndim + 1:
        y = np.moveaxis(y, (1, 2), (-2, -1)).reshape(exact.shape)
    if y.shape != exact.shape:
        return None
    return float(np.linalg.norm(y - exact) / np.linalg.norm(exact))


def take_turns(
    calls: dict[str, Call], rounds: int, pause: float = 0.0, before: int = 0
) -> dict[str, float]:
    """Milliseconds a call, medians of rounds in which every call has its turn.

    Threads of a library may spin for some milliseconds after its call: seconds of pause before each
    turn keep them out of a short call of the next. A turn may begin with calls that do not count.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(pause)
            for _ in range(before):
                call()
            start = time.perf_counter()
            seconds = call()
            if not isinstance(seconds, float):  # but for the FFTs, which know their own time
                seconds = time.perf_counter() - start
            times[name].append(1e3 * seconds)
    return {name: float(np.median(samples)) for name, samples in times.items()}


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
            except Exception as failure:  # a front end that fails is part of the picture
                calls.pop(name, None)
                rows[name] = {"failure": f"{type(failure).__name__}: {failure}"[:200]}
    if workload.layer != "TimeFrequencyScattering":
        calls["FFTs"] = floor(workload)
    times = take_turns(calls, rounds)
    ffts = times.pop("FFTs", None)
    for name, milliseconds in times.items():
        rows[name]["ms"] = milliseconds
        if fresh:
            rows[name]["first"] = _in_fresh_processes(name, key, workload.batch).get("first")
            if key in MEMORY:
                rows[name]["memory"] = _in_fresh_processes(name, key, MEMORY[key]).get("memory")
    return {"contenders": rows, "floor": ffts}


def middle(runs: list[dict]) -> dict:
    """The first of several results of `measure`, with the medians of all their times."""
    rows = [run["contenders"] for run in runs]
    for name, row in rows[0].items():
        if "ms" in row:
            times = [other[name]["ms"] for other in rows if "ms" in other[name]]
            row["ms"] = float(np.median(times))
    floors = [run["floor"] for run in runs]
    return {**runs[0], "floor": floors[0] and float(np.median(floors))}


def latency(rounds: int) -> dict:
    """Milliseconds for a batch of one signal: call after call, and after a pause."""
    results = {}
    for key, workload in WORKLOADS.items():
        single = workload._replace(batch=1)
        calls = {n: prepare(n, single) for n in CONTENDERS if available(n, single)}
        results[key] = take_turns(calls, rounds, pause=0.05, before=3)
        results[f"{key}, after 50 ms"] = take_turns(calls, rounds, pause=0.05)
    return results


def training(rounds: int) -> dict:
    """Milliseconds for the sum of squares of the coefficients and its gradient."""
    import tensorflow as tf

    def step(name: str, workload: Workload) -> Call:
        x = workload.input()
        if name.startswith("ours"):
            layer = _layer(workload, jit_compile=name.endswith("jit_compile"))
        else:
            layer = _kymatio("tensorflow", workload)

        def gradient(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                # The gradient of a general power would take 5 ms of its own on mnist.
                total = tf.reduce_sum(tf.square(layer(x)))
            return tape.gradient(total, x)

        signature = tf.TensorSpec((None if name.startswith("ours") else len(x), *x.shape[1:]))
        function = tf.function(gradient, [signature], jit_compile=name.endswith("XLA"))
        tensor = tf.constant(x)
        return lambda: function(tensor).numpy()

    results = {}
    for key in ("mnist", "audio8k"):
        workload = WORKLOADS[key]
        names = [n for n in CONTENDERS if n.startswith(("ours", "Kymatio TF"))]
        calls = {n: step(n, workload) for n in names if available(n, workload)}
        results[key] = take_turns(calls, rounds)
    return results


def batches(rounds: int) -> dict:
    """Milliseconds a signal, by the size of the batch."""
    results = {}
    for key in ("mnist", "audio8k"):
        results[key] = {}
        for batch in (1, 4, 16, 64, 256):
            workload = WORKLOADS[key]._replace(batch=batch)
            times = take_turns(
                {n: prepare(n, workload) for n in CONTENDERS if n[:4] == "ours"}, rounds
            )
            results[key][batch] = {name: ms / batch for name, ms in times.items()}
    return results


def sizes(rounds: int) -> dict:
    """Milliseconds for one signal, by its number of samples."""
    line = [Workload("Scattering1D", {"J": 8, "Q": 8}, 1, (2**k,)) for k in range(12, 21)]
    plane = [Workload("Scattering2D", {"J": 3}, 1, (n, n)) for n in (32, 64, 128, 256, 512)]
    results = {}
    for title, workloads in {"1D, J=8, Q=8": line, "2D, J=3, L=8": plane}.items():
        results[title] = {
            int(np.prod(w.size)): take_turns({"ours": prepare("ours", w)}, rounds)
            for w in workloads
        }
    return results


STUDIES = {"latency": latency, "training": training, "batches": batches, "sizes": sizes}


def draw(results: dict, folder: pathlib.Path) -> None:
    """The plots: times beside the FFTs, and the cost by batch and by size."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    keys = list(results["table"])
    names = [n for n in CONTENDERS if any(n in results["table"][k]["contenders"] for k in keys)]
    figure, axes = plt.subplots(figsize=(11, 4.2), layout="constrained")
    width = 0.8 / len(names)
    place = np.arange(len(keys))
    for i, (name, colour) in enumerate(zip(names, plt.colormaps["tab10"].colors, strict=False)):
        ms = [results["table"][k]["contenders"].get(name, {}).get("ms", np.nan) for k in keys]
        axes.bar(place + (i - (len(names) - 1) / 2) * width, ms, width, label=name, color=colour)
    for x, key in zip(place, keys, strict=True):
        if results["table"][key]["floor"]:
            axes.hlines(results["table"][key]["floor"], x - 0.45, x + 0.45, color="black")
    axes.hlines([], 0, 0, color="black", label="the necessary FFTs alone")
    axes.set(yscale="log", ylabel="milliseconds a call")
    axes.set_xticks(place, keys, fontsize=8)
    axes.set_yticks([20, 50, 100, 200, 500, 1000], ["20", "50", "100", "200", "500", "1000"])
    axes.yaxis.set_minor_formatter("")
    axes.legend(fontsize=8, ncols=2)
    figure.savefig(folder / "times.png", dpi=150)

    if "batches" in results:
        figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
        for ax, (key, rows) in zip(axes, results["batches"].items(), strict=True):
            for name in next(iter(rows.values())):
                ax.plot([int(b) for b in rows], [r[name] for r in rows.values()], "o-", label=name)
            ax.set(title=key, xlabel="signals a batch", xscale="log", ylim=(0, None))
            ax.set_xticks([int(b) for b in rows], list(rows))
            ax.minorticks_off()
        axes[0].set_ylabel("milliseconds a signal")
        axes[0].legend()
        figure.savefig(folder / "batches.png", dpi=150)

    if "sizes" in results:
        figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
        for ax, (title, rows) in zip(axes, results["sizes"].items(), strict=True):
            N, ms = np.array([[int(n), row["ours"]] for n, row in rows.items()]).T
            law = N * np.log2(N)
            ax.loglog(N, ms, "o-", label="measured")
            ax.loglog(N, ms[-1] * law / law[-1], "--", color="grey", label="N log N")
            ax.set(title=title, xlabel="samples N")
        axes[0].set_ylabel("milliseconds a signal")
        axes[0].legend()
        figure.savefig(folder / "sizes.png", dpi=150)


def grid(results: dict, title: str, field: str, form: str) -> str:
    """A Markdown table: workloads by contenders; nothing where nothing was measured."""
    names = [
        n for n in CONTENDERS if any(field in r["contenders"].get(n, {}) for r in results.values())
    ]
    lines = []
    for key, result in results.items():
        cells = [result["contenders"].get(n, {}).get(field) for n in names]
        if any(c is not None for c in cells):
            shown = ["–" if c is None else format(c, form) for c in cells]
            lines.append(f"| {key} | " + " | ".join(shown) + " |")
    if not lines:
        return ""
    head = [
        f"\n{title}\n",
        "| workload | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    return "\n".join([*head, *lines]) + "\n"


def means(results: dict, field: str) -> str:
    """Geometric means of a ratio over the workloads that have it, as a line of text."""
    logarithms: dict[str, list[float]] = {}
    for result in results.values():
        for name, row in result["contenders"].items():
            if row.get(field):
                logarithms.setdefault(name, []).append(np.log(row[field]))
    parts = [f"{name} {np.exp(np.mean(values)):.2f}" for name, values in logarithms.items()]
    return f"\nGeometric means: {'; '.join(parts)}.\n" if parts else ""


def table(results: dict) -> str:
    """The nine workloads, as Markdown."""
    text = grid(results, "Milliseconds a call, medians of interleaved rounds:", "ms", ".1f")
    text += "\nThe FFTs alone, ms: "
    text += ", ".join(f"{k} {r['floor']:.1f}" for k, r in results.items() if r["floor"]) + "\n"
    for result in results.values():
        ms = {n: r["ms"] for n, r in result["contenders"].items() if "ms" in r}
        peers = [ms[n] for n in ms if n.startswith("Kymatio")]
        for name in ms:
            if name.startswith("ours"):
                row = result["contenders"][name]
                row["speed"] = min(peers) / ms[name] if peers else None
                row["floor"] = ms[name] / result["floor"] if result["floor"] else None
    text += grid(results, "Times as fast as the fastest Kymatio:", "speed", ".2f")
    text += means(results, "speed")
    text += grid(results, "Time over that of the necessary FFTs alone:", "floor", ".2f")
    text += means(results, "floor")
    text += grid(results, "Seconds of the first call:", "first", ".1f")
    text += grid(results, "Peak memory over the start, MB:", "memory", ".0f")
    text += grid(results, "Relative l2 error to our float64 result:", "error", ".1e")
    return text


def report(results: dict) -> str:
    """Everything measured, as Markdown."""
    text = results["machine"] + "\n" + table(results["table"])
    for study, title in (
        ("latency", "Milliseconds for a batch of one:"),
        ("training", "Milliseconds for coefficients and gradient together:"),
    ):
        if study in results:
            rows = {
                k: {"contenders": {n: {"ms": t} for n, t in r.items()}}
                for k, r in results[study].items()
            }
            text += grid(rows, title, "ms", ".1f")
    for study, title, head in (
        ("batches", "Milliseconds a signal, by batch:", "signals"),
        ("sizes", "Milliseconds a signal, by samples:", "samples"),
    ):
        for key, rows in results.get(study, {}).items():
            names = list(next(iter(rows.values())))
            text += f"\n{title} {key}\n\n| {head} | {' | '.join(names)} |\n"
            text += "|---" * (len(names) + 1) + "|\n"
            for n, ms in rows.items():
                text += f"| {n} | " + " | ".join(f"{ms[name]:.2f}" for name in names) + " |\n"
    return text


def main() -> None:
    """Run, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--contenders", default=";".join(CONTENDERS), help="separated by ;")
    parser.add_argument("--studies", default=",".join(STUDIES))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--sweeps", type=int, default=3, help="a shared machine may be slow for minutes"
    )
    parser.add_argument("--no-fresh", action="store_true", help="no first calls, no memory")
    parser.add_argument(
        "--output", type=pathlib.Path, help="folder for results.json, results.md and the plots"
    )
    parser.add_argument("--fresh", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fresh:
        name, key, batch = options.fresh
        print(json.dumps(first_call(name, WORKLOADS[key]._replace(batch=int(batch)))))
        return
    import tensorflow as tf

    results: dict = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, TensorFlow {tf.__version__}, {datetime.date.today()}, "
        f"{options.rounds} rounds, workloads in {options.sweeps} sweeps.",
    }
    runs: dict[str, list[dict]] = {key: [] for key in options.workloads.split(",") if key}
    names = options.contenders.split(";")
    for sweep, key in itertools.product(range(options.sweeps), runs):
        result = measure(key, options.rounds, names, fresh=sweep == 0 and not options.no_fresh)
        runs[key].append(result)
        brief = {n: round(r["ms"], 1) for n, r in result["contenders"].items() if "ms" in r}
        print(key, brief, "FFTs", result["floor"], flush=True)
    results["table"] = {key: middle(measured) for key, measured in runs.items()}
    for study in filter(None, options.studies.split(",")):
        results[study] = STUDIES[study](options.rounds)
        print(study, results[study], flush=True)
    text = report(results)
    print(text)
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "results.md").write_text(text)
        (options.output / "results.json").write_text(json.dumps(results, indent=1))
        draw(results, options.output)


if __name__ == "__main__":
    main()

"""Time and memory of layers of moments beside their inventors' codes, and what none can avoid.

    python tests/benchmarks/moments.py [--only RECTIFIER]

The contenders of a workload take turns in one process; medians of rounds are given. First calls and
peak memory over the start are taken in a process of their own each. Four codes take part where
`PYTHONPATH` has their checkouts, with PyTorch, in an environment of their own: of Morel et al.
(github.com/RudyMorel/scattering_spectra), of Cheng et al.
(github.com/SihaoCheng/scattering_transform), of Régaldo-Saint Blancard et al.
(github.com/bregaldo/pywph), and of Brochard et al.
(github.com/abrochar/wavelet-texture-synthesis).

    pip install -e . torch==2.13.0 "setuptools<81" matplotlib "pandas<3" psutil
"""

import argparse
import importlib
import os
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

FRESH = 3  # processes that measure memory and first calls


class Workload(NamedTuple):
    layer: str
    arguments: dict
    shape: tuple[int, ...]
    filters: int  # of the first order
    oversampling: bool = True

    def input(self):
        return np.random.default_rng(0).standard_normal(self.shape).astype("float32")


WORKLOADS = {
    "1D, 16 × 2^13, J=9, Q=1": Workload("ScatteringSpectra1D", {"J": 9}, (16, 2**13), 10),
    "2D, 8 × 128², J=5, L=4": Workload("ScatteringSpectra2D", {"J": 5}, (8, 128, 128), 20),
    "2D, 1 × 256², J=6, L=4": Workload("ScatteringSpectra2D", {"J": 6}, (1, 256, 256), 24),
    "phase, 1 × 128², J=5, L=8": Workload("PhaseHarmonics2D", {"J": 5}, (1, 128, 128), 40),
    "phase, 8 × 128², J=5, L=8": Workload("PhaseHarmonics2D", {"J": 5}, (8, 128, 128), 40),
    "phase, 1 × 256², J=6, L=8": Workload("PhaseHarmonics2D", {"J": 6}, (1, 256, 256), 48),
    "rectifier, 1 × 256², J=5, L=4": Workload(
        "RectifierCovariances2D", {"J": 5}, (1, 256, 256), 24, oversampling=False
    ),
}


def ours(workload, gradient, **arguments) -> Callable:
    import tensorflow as tf

    import keras_scattering

    layer = getattr(keras_scattering, workload.layer)(**workload.arguments, **arguments)
    layer.build(workload.shape)
    signature = [tf.TensorSpec((None, *workload.shape[1:]), tf.float32)]

    def forward(x):
        return layer(x)

    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(layer(x))
        return tape.gradient(total, x)

    function = tf.function(both if gradient else forward, input_signature=signature)
    x = tf.constant(workload.input())
    return lambda: function(x).numpy()


def imported(name):
    """A module, with empty ones in place of packages for plots and data that are missing."""
    while True:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name in (None, name, name.split(".")[0]):
                raise
            module = types.ModuleType(error.name)
            module.__path__ = []
            module.__getattr__ = lambda _: None
            sys.modules[error.name] = module


def morel(workload, gradient) -> Callable:
    import torch

    model = imported("scatspectra.models").Model(
        model_type="scat_spectra", coeff_types=None, T=workload.shape[1], r=2,
        J=workload.arguments["J"], Q=[1, 1], wav_type="battle_lemarie", wav_norm="l1",
        high_freq=0.425, A=None, rpad=False, N=1, multivariate_model=False, estim_operator=None,
        qs=None, dtype=torch.float32, skew_redundance=True, histogram_moments=False, sigma2=None,
        norm_on_the_fly=True, histogram_norm=None, nchunks=16, gen_log_returns=False,
    )  # fmt: skip
    x = torch.from_numpy(workload.input())[:, None]
    return in_torch(lambda x: model(x).y, x, gradient)


def cheng(workload, gradient) -> Callable:
    scattering = imported("scattering.Scattering2d").Scattering2d(
        *workload.shape[1:], workload.arguments["J"], 4, device="cpu"
    )
    import torch

    x = torch.from_numpy(workload.input())
    return in_torch(lambda x: scattering.scattering_cov(x)["for_synthesis"], x, gradient)


def pywph(workload, gradient) -> Callable:
    L = workload.arguments.get("L", 8)
    operator = imported("pywph").WPHOp(
        *workload.shape[1:], workload.arguments["J"], L=L, dn=0, device="cpu"
    )
    x = workload.input()

    def forward():
        return operator(x).numpy()

    def both():
        leaf, chunks = operator.preconfigure(x, requires_grad=True)
        for chunk in range(chunks):
            y, _ = operator.apply(leaf, chunk, norm=None, ret_indices=True)
            y.real.sum().backward(retain_graph=True)
        return leaf.grad.numpy()

    return both if gradient else forward


def brochard(workload, gradient) -> Callable:
    """Their class in its three chunks, with the filters of this package, which are the same."""
    import torch

    from keras_scattering.filters import MorletBank2D

    J, size = workload.arguments["J"], workload.shape[1:]
    bank = MorletBank2D(size, J, 4)
    psi = np.stack([bank.psi(n) for n in range(len(bank))]).reshape(J, 4, *size)
    files = {"morlet_N": psi, "morlet_lp": bank.phi()}
    kept = torch.load
    torch.load = lambda path: torch.from_numpy(
        next(v for k, v in files.items() if k in path).astype("complex64")
    )
    module = imported("ops.alpha_gray")
    models = [module.ALPHA(*size, J, 4, 4, 1, 2, 3, chunk, "all", "morlet") for chunk in range(3)]
    torch.load = kept
    x = torch.from_numpy(workload.input())[:, None]

    def forward():
        with torch.no_grad():
            return sum(model(x).sum().item() for model in models)

    def both():
        leaf = x.clone().requires_grad_(True)
        for model in models:
            model(leaf).sum().backward()
        return leaf.grad.numpy()

    return both if gradient else forward


PEERS = {
    "ScatteringSpectra1D": morel,
    "ScatteringSpectra2D": cheng,
    "PhaseHarmonics2D": pywph,
    "RectifierCovariances2D": brochard,
}


def in_torch(function, x, gradient) -> Callable:
    import torch

    def forward():
        with torch.no_grad():
            return function(x).numpy()

    def both():
        leaf = x.clone().requires_grad_(True)
        y = function(leaf)
        (y.real if y.is_complex() else y).sum().backward()
        return leaf.grad.numpy()

    return both if gradient else forward


CONTENDERS = {
    "ours": ours,
    "ours, jit_compile": lambda w, g: ours(w, g, jit_compile=True),
    "ours, oversampling=1": lambda w, g: ours(w, g, oversampling=1),
    "peer": lambda w, g: PEERS[w.layer](w, g),
}


def ffts(workload) -> Callable:
    """One real transform of the signal; per filter a complex inverse, and for spectra a real one.

    For rectifiers also the products, of all fields by those of one phase at each shift.
    """
    import tensorflow as tf

    rank = len(workload.shape) - 1
    complex_fft, real_fft = (
        {1: getattr(tf.signal, name), 2: getattr(tf.signal, f"{name}2d")}[rank]
        for name in ("ifft", "rfft")
    )
    x = tf.constant(workload.input())
    z = tf.complex(x, x)
    fields = None
    if workload.layer.startswith("Rectifier"):
        fields = tf.random.normal((16 * workload.arguments["J"], x[0].shape.num_elements()))

    def timed() -> float:
        start = time.perf_counter()
        real_fft(x)
        for _ in range(workload.filters):
            complex_fft(z)
            if workload.layer.startswith("Scattering"):
                real_fft(x)
        if fields is not None:
            for _ in range(8 * workload.arguments["J"] - 3):
                tf.matmul(fields, fields[: len(fields) // 4], transpose_b=True)
        return time.perf_counter() - start

    return timed


def peak() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status has no VmHWM")


def fresh(name, workload, gradient):
    """Seconds of the first call, and megabytes over the start, for this process."""
    if name == "peer":
        import torch  # noqa: F401
    else:
        import keras_scattering  # noqa: F401
    before, start = peak(), time.perf_counter()
    call = CONTENDERS[name](workload, gradient)
    call()
    seconds = time.perf_counter() - start
    for _ in range(3):
        call()
    print(seconds, peak() - before)


def in_fresh_processes(name, key, gradient):
    command = [sys.executable, __file__, "--fresh", name, key, str(int(gradient))]
    runs = [subprocess.run(command, capture_output=True, text=True) for _ in range(FRESH)]
    found = [list(map(float, r.stdout.split()[-2:])) for r in runs if r.returncode == 0]
    return np.median(found, 0) if found else (np.nan, np.nan)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="a part of a workload's name")
    parser.add_argument("--fresh", nargs=3)
    arguments = parser.parse_args()
    if arguments.fresh:
        name, key, gradient = arguments.fresh
        fresh(name, WORKLOADS[key], gradient == "1")
        return
    print("| workload | contender | forward, ms | with gradient, ms | first call, s | MB |")
    print("|---|---|---|---|---|---|")
    for key, workload in WORKLOADS.items():
        if arguments.only not in key:
            continue
        calls = {}
        for name, make in CONTENDERS.items():
            if "oversampling" in name and not workload.oversampling:
                continue
            try:
                for gradient in (False, True):
                    calls[name, gradient] = make(workload, gradient)
                    calls[name, gradient]()
            except ImportError as error:
                print(f"{key}: {name} is missing ({error})", file=sys.stderr)
                calls.pop((name, False), None)
        alone = ffts(workload)
        times = {call: [] for call in [*calls, "FFTs"]}
        for _ in range(arguments.rounds):
            times["FFTs"].append(alone())
            for which, call in calls.items():
                start = time.perf_counter()
                call()
                times[which].append(time.perf_counter() - start)
        for name in dict.fromkeys(name for name, _ in calls):
            ms = [1e3 * np.median(times[name, gradient]) for gradient in (False, True)]
            first, memory = in_fresh_processes(name, key, False)
            print(f"| {key} | {name} | {ms[0]:.0f} | {ms[1]:.0f} | {first:.1f} | {memory:.0f} |")
        print(
            f"| {key} | what none can avoid | {1e3 * np.median(times['FFTs']):.0f} | | | |",
            flush=True,
        )


if __name__ == "__main__":
    main()

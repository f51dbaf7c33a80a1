"""Reference outputs of the 3D and of the joint time-frequency transform; see golden/README.md."""

import functools
import json
import re
from pathlib import Path

import numpy as np
import pytest

from keras_scattering import HarmonicScattering3D, TimeFrequencyScattering

GOLDEN = Path(__file__).parent / "golden"
LAYERS = {"3d": HarmonicScattering3D, "jtfs": TimeFrequencyScattering}
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}  # relative l2 norm
CASES = [case for case in json.loads((GOLDEN / "index.json").read_text()) if case["kind"] in LAYERS]
LISTS = [case for case in CASES if case["params"].get("T", None) == 0]
STACKED = [case for case in CASES if case not in LISTS]

PATH = re.compile(r"y_(-?\d+)_(-?\d+)_(-?\d+)_(-?\d+)")  # order, n1, n2, n_fr


def every(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: Path(case["file"]).stem)


def make(case, dtype="float64"):
    other = ("shape", "out_type")  # not arguments of a layer
    params = {name: value for name, value in case["params"].items() if name not in other}
    return LAYERS[case["kind"]](**params, dtype=dtype)


@functools.cache
def golden(file):
    with np.load(GOLDEN / file) as data:
        return dict(data)


def assert_close(y, expected, dtype):
    y = np.asarray(y)
    assert y.dtype == dtype
    assert y.shape == expected.shape
    assert np.linalg.norm(y - expected) <= TOLERANCE[dtype] * np.linalg.norm(expected)


def channels_last(case, y):
    """The reference has paths second, and the time last."""
    if case["kind"] == "3d":
        return y
    y = np.moveaxis(y, 1, -1)  # (B, N', K), or (B, Lambda, N', K)
    if case["params"].get("format") == "joint":
        y = y.swapaxes(1, 2)
    return y[:, 0] if case["params"].get("T") == "global" else y


def test_every_kind_is_held():
    assert {case["kind"] for case in STACKED} == set(LAYERS)
    assert {case["kind"] for case in LISTS} == {"jtfs"}


@pytest.mark.parametrize("dtype", TOLERANCE)
@every(STACKED)
def test_output(case, dtype):
    data = golden(case["file"])
    assert len(data["x"]) == case["batch"]
    y = make(case, dtype)(data["x"].astype(dtype))
    assert_close(y, channels_last(case, data["y"]), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@every(LISTS)
def test_lists_of_paths(case, dtype):
    data = golden(case["file"])
    layer = make(case, dtype)
    outputs = layer(data["x"].astype(dtype))
    meta = layer.meta()
    columns = (meta[name].tolist() for name in ("order", "n1", "n2", "n_fr"))
    by_path = dict(zip(zip(*columns, strict=True), outputs, strict=True))
    assert len(by_path) == len(outputs)
    held = {tuple(map(int, match.groups())): name for name in data if (match := PATH.match(name))}
    assert held.keys() == {path for path in by_path if path[0] != 1}  # order 1 is not held
    for path, name in held.items():
        assert_close(by_path[path], data[name], dtype)


@every([case for case in CASES if case["kind"] == "jtfs"])
def test_metadata(case):
    data = golden(case["file"])
    layer = make(case)
    layer.build(data["x"].shape)
    meta = layer.meta()
    columns = [name.removeprefix("meta_") for name in data if name.startswith("meta_")]
    assert {"order", "n1", "n2", "n_fr", "xi_fr", "sigma_fr", "j_fr", "spin"} <= {*columns}
    for name in columns:
        expected = data[f"meta_{name}"]
        np.testing.assert_allclose(meta[name], expected, rtol=1e-12, equal_nan=True, err_msg=name)

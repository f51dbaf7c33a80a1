"""Reference outputs from outside this package (golden/README.md), by the layers in one and two
dimensions, and by the naive reference in all."""

import functools
import json
import re
from pathlib import Path

import numpy as np
import pytest
import reference
from compare import TOLERANCES, Tolerance, assert_close

from keras_scattering import Scattering1D, Scattering2D

GOLDEN = Path(__file__).parent / "golden"
LAYERS = {"1d": Scattering1D, "2d": Scattering2D}
REFERENCES = {
    "1d": reference.scattering1d,
    "2d": reference.scattering2d,
    "3d": reference.harmonic3d,
    "jtfs": reference.time_frequency,
}
EXACT = Tolerance(1e-12, 1e-10, 1e-15)
CASES = json.loads((GOLDEN / "index.json").read_text())
PARAMS = ("n", "j", "xi", "sigma", "theta")  # of a filter, as the files name them


def every(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: Path(case["file"]).stem)


def arguments(case):
    return {k: v for k, v in case["params"].items() if k not in ("shape", "out_type")}


@functools.cache
def golden(file):
    with np.load(GOLDEN / file) as data:
        return dict(data)


def expected(case):
    """Paths last; for T=0 a dict of them, by the numbers in their names."""
    data = golden(case["file"])
    if case["params"].get("T") == 0:
        names = (name for name in data if name.startswith("y_"))
        return {tuple(map(int, re.findall(r"-?\d+", name))): data[name] for name in names}
    if case["kind"] == "3d":  # the powers play the part of paths
        return data["y"]
    y = np.moveaxis(data["y"], 1, -1)
    if case["params"].get("format") == "joint":
        y = y.swapaxes(1, 2)  # time before log-frequency
    return y[:, 0] if case["params"].get("T") == "global" else y


def reference_names(case):
    """What `expected` calls each path of the reference, for T=0."""
    args = arguments(case)
    if case["kind"] == "1d":
        return reference.paths_1d(args["J"], args["Q"])
    args.pop("format", None)
    paths = reference.time_frequency_paths(golden(case["file"])["x"], **args)
    meta = reference.time_frequency_meta(paths)
    names = ("order", "n1", "n2", "n_fr")
    return list(zip(*(meta[name].tolist() for name in names), strict=True))


def assert_lists_close(outputs, names, held, tolerance):
    """The outputs that are held, by their names, in either's order."""
    by_name = dict(zip(names, outputs, strict=True))
    assert held.keys() <= by_name.keys()
    left_out = by_name.keys() - held.keys()
    assert all(len(name) == 4 and name[0] == 1 for name in left_out)  # order 1 of jtfs
    assert_close([by_name[name] for name in held], list(held.values()), tolerance)


def test_every_kind_is_held():
    kinds = [(case["kind"], case["params"].get("T") == 0) for case in CASES]
    assert set(kinds) == {*((kind, False) for kind in REFERENCES), ("1d", True), ("jtfs", True)}
    assert {case["file"] for case in CASES} == {path.name for path in GOLDEN.glob("*.npz")}


@every(CASES)
def test_reference(case):
    y = REFERENCES[case["kind"]](golden(case["file"])["x"], **arguments(case))
    if isinstance(y, list):
        assert_lists_close(y, reference_names(case), expected(case), EXACT)
    else:
        assert_close(y, expected(case), EXACT)


@every([case for case in CASES if case["kind"] == "jtfs" and case["params"].get("T") != 0])
def test_reference_rows(case):
    data, args = golden(case["file"]), arguments(case)
    format = args.pop("format", "time")
    paths = reference.time_frequency_paths(data["x"], **args)
    for name, column in reference.time_frequency_meta(paths, format).items():
        np.testing.assert_allclose(column, data[f"meta_{name}"], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("dtype", TOLERANCES)
@every([case for case in CASES if case["kind"] in LAYERS])
def test_layer(case, dtype):
    x = golden(case["file"])["x"]
    assert len(x) == case["batch"]
    layer = LAYERS[case["kind"]](**arguments(case), dtype=dtype)
    y = layer(x.astype(dtype))
    if isinstance(y, list):
        assert all(path.dtype == dtype for path in y)
        numbers = zip(layer.meta()["n1"].tolist(), layer.meta()["n2"].tolist(), strict=True)
        names = [tuple(n for n in path if n >= 0) for path in numbers]
        assert_lists_close(y, names, expected(case), TOLERANCES[dtype])
    else:
        assert y.dtype == dtype
        assert_close(y, expected(case), TOLERANCES[dtype])


@every([case for case in CASES if case["kind"] in LAYERS and case["params"].get("T") != 0])
def test_metadata(case):
    data = golden(case["file"])
    layer = LAYERS[case["kind"]](**arguments(case))
    layer.build(data["x"].shape)
    meta = layer.meta()
    for name in PARAMS:
        if f"meta_{name}" not in data:
            continue
        for order, column in enumerate(np.nan_to_num(data[f"meta_{name}"], nan=-1).T, start=1):
            ours = np.nan_to_num(meta[f"{name}{order}"], nan=-1)
            np.testing.assert_allclose(ours, column, rtol=1e-12, err_msg=f"{name}{order}")
    orders = (np.nan_to_num(data["meta_n"], nan=-1) >= 0).sum(axis=1)
    np.testing.assert_array_equal(meta["order"], data.get("meta_order", orders))

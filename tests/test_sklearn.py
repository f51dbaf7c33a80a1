"""The transformer keeps scikit-learn's conventions, and yields what the layer does."""

import pickle
import time

import keras
import numpy as np
import pytest
from layers import CASES, SMALL
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from keras_scattering import Scattering1D, Scattering2D
from keras_scattering.sklearn import ScatteringTransformer

SAMPLES = 5


# All of scikit-learn's own, and none is expected to fail. In double precision, since some compare
# batches of another order or size to the last bits of float32.
CHECKS = list(estimator_checks_generator(ScatteringTransformer(Scattering1D(J=1, dtype="float64"))))


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "check"), CHECKS, ids=[c.func.__name__ for _, c in CHECKS])
def test_conventions(estimator, check):
    check(estimator)


def rows(case):
    return case.inputs(SAMPLES).reshape(SAMPLES, -1)


def flattened(outputs):
    parts = [np.asarray(y) for y in keras.tree.flatten(outputs)]
    return np.concatenate([y.reshape(len(y), -1) for y in parts], 1)


# A name, and where the layer's output has it: found by hand in the documented layout.
NAMED = [
    ("1d", "S1_n1=2_t=3", lambda y, row: y[:, 3, row(n1=2, n2=-1)]),
    ("1d-channels", "S1_n1=2_c=1_t=4", lambda y, row: y[:, 4, y.shape[2] // 2 + row(n1=2, n2=-1)]),
    ("1d-channels-first", "S0_c=2_t=1", lambda y, row: y[:, 2 * y.shape[1] // 8, 1]),
    ("1d-global", "S1_n1=1", lambda y, row: y[:, row(n1=1, n2=-1)]),
    ("1d-signal", "S1_n1=1_c=1", lambda y, row: y[:, y.shape[1] // 2 + row(n1=1, n2=-1)]),
    ("1d-list", "S1_n1=0_c=1_t=5", lambda y, row: y[row(n1=0, n2=-1)][:, 5, 1]),
    ("2d", "S1_n1=3_y=2_x=1", lambda y, row: y[:, 2, 1, row(n1=3, n2=-1)]),
    (
        "2d-channels-first",
        "S1_n1=3_c=1_y=0_x=0",
        lambda y, row: y[:, y.shape[1] // 4 + row(n1=3, n2=-1), 0, 0],
    ),
    ("3d", "S2_n1=0_n2=1_l=2_q=0.5", lambda y, row: y[:, row(n1=0, n2=1), 2, 0]),
    ("3d-channels-first", "S1_n1=0_l=1_q=2_c=3", lambda y, row: y[:, 7, row(n1=0, n2=-1), 1]),
    ("tf", "S1_n1=2_n_fr=0_t=1", lambda y, row: y[:, 1, row(n1=2, n2=-1, n_fr=0)]),
    (
        "tf-joint-channels",
        "S2_n2=3_n_fr=2_c=1_t=2_f=3",
        lambda y, row: y[:, 2, 3, y.shape[3] // 2 + row(n2=3, n_fr=2)],
    ),
]


@pytest.mark.parametrize(("name", "feature", "find"), NAMED, ids=[name for name, *_ in NAMED])
def test_features_are_coefficients_and_names_say_where_from(name, feature, find):
    (case,) = (case for case in CASES if case.name == name)
    layer = case.make()
    y = layer(case.inputs(SAMPLES))
    meta = layer.meta()

    def row(**filters):
        (found,) = np.flatnonzero(np.all([meta[n] == i for n, i in filters.items()], axis=0))
        return found

    transformer = ScatteringTransformer(layer, case.shape, batch_size=2)
    features = transformer.fit_transform(rows(case))
    close = {"rtol": 0, "atol": 1e-5 * features.max()}
    np.testing.assert_allclose(features, flattened(y), **close)
    names = transformer.get_feature_names_out()
    assert len(set(names)) == len(names) == features.shape[1]
    y = y if isinstance(y, list) else np.asarray(y)
    np.testing.assert_allclose(features[:, list(names).index(feature)], find(y, row), **close)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_feature_has_a_name_of_its_own(case):
    transformer = ScatteringTransformer(case.make(), case.shape).fit(rows(case))
    names = transformer.get_feature_names_out()
    assert len(set(names)) == len(names) == transformer.transform(rows(case)[:1]).shape[1]


@pytest.mark.parametrize("case", SMALL[:2], ids=lambda case: case.name)
def test_a_pickled_transformer_yields_the_same(case):
    transformer = ScatteringTransformer(case.make(), case.shape)
    features = transformer.fit_transform(rows(case))
    again = pickle.loads(pickle.dumps(transformer))
    np.testing.assert_allclose(again.transform(rows(case)), features, rtol=1e-5, atol=1e-6)


def test_a_layer_is_pickled_alike_at_any_time():
    # So caches know it again: joblib's go by what is pickled.
    layer = Scattering2D(J=2, L=4)
    layer.build((None, 16, 16))
    before = pickle.dumps(layer)
    time.sleep(1.1)
    assert pickle.dumps(layer) == before


def test_parameters_of_the_layer_are_parameters():
    layer = Scattering1D(J=3, Q=2)
    transformer = ScatteringTransformer(layer)
    params = transformer.get_params()
    assert (params["layer__J"], params["layer__Q"]) == (3, 2)
    assert transformer.get_params(deep=False).keys() == {"layer", "shape", "batch_size"}
    changed = clone(transformer).set_params(layer__J=4, batch_size=7)
    assert (changed.layer.J, changed.layer.Q, changed.batch_size) == (4, 2, 7)
    assert (transformer.layer, layer.J) == (layer, 3)
    assert clone(changed).get_params()["layer__J"] == 4
    with pytest.raises(ValueError, match=r"'J', .* Received: \['sigma'\]$"):
        transformer.set_params(layer__sigma=1)
    with pytest.raises(ValueError, match="`J` must be an integer"):
        transformer.set_params(layer__J=0)
    assert transformer.layer is layer


def test_a_layer_in_use_elsewhere_is_left_alone():
    layer = Scattering1D(J=2)
    layer(np.zeros((1, 16)))
    ScatteringTransformer(layer).fit(np.zeros((3, 40)))
    assert layer(np.zeros((1, 16))).shape == (1, 4, 4)


def test_double_precision_is_kept_and_half_is_widened():
    X = np.random.default_rng(0).standard_normal((3, 32))
    for dtype, kept in [("float64", "float64"), ("mixed_bfloat16", "float32")]:
        y = ScatteringTransformer(Scattering1D(J=2, dtype=dtype)).fit_transform(X)
        assert y.dtype == kept


def test_in_a_pipeline_and_a_grid_search():
    rng = np.random.default_rng(0)
    slow = np.sin(2 * np.pi * (np.arange(128) / 32 + rng.uniform(size=(20, 1))))
    fast = np.sin(2 * np.pi * (np.arange(128) / 8 + rng.uniform(size=(20, 1))))
    X, labels = np.concatenate([slow, fast]), np.repeat([0, 1], 20)
    model = make_pipeline(
        ScatteringTransformer(Scattering1D(J=1, T="global")), StandardScaler(), LogisticRegression()
    )
    grid = {"scatteringtransformer__layer__J": [1, 4]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, labels)
    assert len(search.cv_results_["params"]) == 2
    assert search.best_score_ == 1
    best = search.best_params_["scatteringtransformer__layer__J"]
    assert best == search.best_estimator_[0].layer_.J


def test_feature_names_reach_a_frame():
    transformer = ScatteringTransformer(Scattering2D(J=1, L=2, T="global"), (4, 4))
    frame = transformer.set_output(transform="pandas").fit_transform(np.ones((2, 16)))
    assert list(frame.columns) == ["S0", "S1_n1=0", "S1_n1=1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": "Scattering1D"}, "`layer` must be a scattering layer. Received: 'Scattering1D'"),
        ({"shape": (4, 5)}, r"X has columns, 16. Received: shape=\(4, 5\)"),
        ({"shape": 16}, "`shape` must be a tuple of sizes, .* Received: shape=16$"),
        ({"shape": ()}, r"`shape` must be a tuple of sizes, .* Received: shape=\(\)$"),
        ({"shape": (8.0, 2)}, r"`shape` must be a tuple of sizes, .* Received: shape=\(8.0, 2\)$"),
        ({"shape": (-4, -4)}, r"`shape` must be a tuple of sizes, .* Received: shape=\(-4, -4\)$"),
        ({"shape": "16"}, "`shape` must be a tuple of sizes, .* Received: shape='16'$"),
        (
            {"batch_size": 0},
            "`batch_size` must be an integer of at least 1. Received: batch_size=0",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    transformer = ScatteringTransformer(**{"layer": Scattering1D(J=2), **arguments})
    with pytest.raises(ValueError, match=message):
        transformer.fit(np.zeros((2, 16)))


@pytest.mark.parametrize("size", [0, -1, 2.0, None, True])
def test_a_batch_size_that_was_set_after_fitting_is_refused(size):
    X = np.zeros((2, 16))
    transformer = ScatteringTransformer(Scattering1D(J=2)).fit(X).set_params(batch_size=size)
    message = f"`batch_size` must be an integer of at least 1. Received: batch_size={size}"
    for use in (transformer.transform, transformer.fit):
        with pytest.raises(ValueError, match=message):
            use(X)


def test_parameters_of_what_is_no_layer_are_refused():
    with pytest.raises(ValueError, match=r"`layer` must be a scattering layer. Received: 'new'$"):
        ScatteringTransformer("new").set_params(layer__J=2)

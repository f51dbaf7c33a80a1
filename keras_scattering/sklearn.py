"""Scattering as a scikit-learn transformer; needs the extra `sklearn`."""

import itertools
import math
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf

from keras_scattering import _validate
from keras_scattering._extras import needed_by
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.layers.harmonic3d import HarmonicScattering3D
from keras_scattering.layers.spectra import SpectraLayer
from keras_scattering.layers.timefrequency import TimeFrequencyScattering

with needed_by("keras_scattering.sklearn", "sklearn"):
    from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
    from sklearn.utils.validation import check_is_fitted, validate_data

_LAYER = "layer__"  # prefix of the layer's own arguments among the parameters


class ScatteringTransformer(TransformerMixin, BaseEstimator):
    r"""Scattering coefficients as features, in scikit-learn's pipelines and searches.

    Each row of X is a signal x, and the output has one row with its coefficients $S x$, flattened.
    The layer's arguments are the parameters `layer__J`, `layer__Q` and so on, for `GridSearchCV` to
    vary. A change of one of them makes a new layer. `fit` designs the filters for the size of the
    signals. It learns nothing, except for the mean powers of X by which `normalize="adapted"`
    divides.

    Args:
        layer: A scattering layer. `fit` does not change it, but makes a layer like it.
        shape: Shape of one signal, as the layer takes it without the batch, such as `(28, 28)` or
            `(28, 28, 3)`. Each row of X holds the samples of one signal in row-major order. None
            is for signals in time, with one sample per column.
        batch_size: Signals per call of the layer, which bounds the memory.

    Attributes:
        layer_: The built layer.
        n_features_in_: Number of columns of X.
        feature_names_in_: Names of the columns, if X has names.

    Raises:
        ValueError: From `fit`, if `layer` is no scattering layer, `shape` does not fit X, or the
            signals do not suit the layer. From `fit` and `transform`, if `batch_size` is no
            positive integer. From `set_params`, for an argument that the layer does not have or
            allow.
        ImportError: If scikit-learn 1.6 or later is missing when the module is imported.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import Scattering1D
    >>> from keras_scattering.sklearn import ScatteringTransformer
    >>> scattering = ScatteringTransformer(Scattering1D(J=4, T="global"))
    >>> X = np.random.default_rng(0).standard_normal((5, 64))
    >>> scattering.fit_transform(X).shape
    (5, 13)
    >>> scattering.get_feature_names_out()[-1]
    'S2_n1=3_n2=4'
    >>> scattering.set_params(layer__J=5).fit_transform(X).shape
    (5, 19)

    Source: scikit-learn's guide to developing estimators, for the conventions. The docstrings of
    the layers name the sources of the transforms.
    """

    def __init__(
        self,
        layer: ScatteringLayer,
        shape: tuple[int, ...] | None = None,
        batch_size: int = 32,
    ):
        self.layer = layer
        self.shape = shape
        self.batch_size = batch_size

    # Parameters

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name; with `deep` also the layer's arguments, as `layer__J` and so on."""
        params = super().get_params(deep)
        if deep and isinstance(self.layer, ScatteringLayer):
            params |= {f"{_LAYER}{name}": value for name, value in self.layer.get_config().items()}
        return params

    def set_params(self, **params: Any) -> "ScatteringTransformer":
        """Set parameters by name. Arguments of the layer, such as `layer__J`, make a new layer."""
        super().set_params(**{n: v for n, v in params.items() if not n.startswith(_LAYER)})
        changes = {n.removeprefix(_LAYER): v for n, v in params.items() if n.startswith(_LAYER)}
        if changes:
            config = self._scattering_layer().get_config()
            if unknown := changes.keys() - config.keys():
                raise ValueError(
                    f"Invalid parameter for {type(self.layer).__name__}: allowed are "
                    f"{sorted(config)}. Received: {sorted(unknown)}"
                )
            self.layer = type(self.layer)(**{**config, **changes})
        return self

    # Fitting

    def fit(self, X: Any, y: Any = None) -> "ScatteringTransformer":
        """Design the filters for the signals in the rows of X, and ignore `y`."""
        X = validate_data(self, X, dtype="numeric", ensure_min_features=2)
        layer = self._scattering_layer()
        _validate.positive_int("batch_size", self.batch_size)
        shape = (X.shape[1],) if self.shape is None else _validate.sizes("shape", self.shape)
        if math.prod(shape) != X.shape[1]:
            raise ValueError(
                f"Argument `shape` must have as many numbers as X has columns, {X.shape[1]}. "
                f"Received: shape={_validate.shown(self.shape)}"
            )
        self.layer_ = type(layer).from_config(layer.get_config())
        self.layer_.build((None, *shape))
        if isinstance(self.layer_, SpectraLayer) and self.layer_.normalize == "adapted":
            self.layer_.adapt(np.reshape(X, (-1, *shape)))
        self._trace()
        return self

    def _scattering_layer(self) -> ScatteringLayer:
        """The argument `layer`, or an error about it."""
        if not isinstance(self.layer, ScatteringLayer):
            raise ValueError(
                f"Argument `layer` must be a scattering layer. "
                f"Received: {_validate.shown(self.layer)}"
            )
        return self.layer

    def _trace(self) -> None:
        """Make one graph for batches of every size; TensorFlow traces it at its first call."""
        shape = self.layer_._built("transform()").shape

        precision = self.layer_._precision

        @tf.function(input_signature=[tf.TensorSpec(shape, precision)])
        def flat(x: tf.Tensor) -> tf.Tensor:
            outputs = keras.tree.flatten(self.layer_(x))
            rows = [tf.reshape(y, (tf.shape(x)[0], math.prod(y.shape[1:]))) for y in outputs]
            return tf.cast(tf.concat(rows, 1), precision)

        self._flat = flat

    def transform(self, X: Any) -> np.ndarray:
        """Coefficients of X, one row per row, in float32, or in float64 for a float64 layer."""
        check_is_fitted(self, "layer_")
        size = _validate.positive_int("batch_size", self.batch_size)  # may be set after `fit`
        X = validate_data(self, X, dtype="numeric", reset=False)
        X = X.reshape(-1, *self.layer_._built("transform()").shape[1:])
        batches = (X[i : i + size] for i in range(0, len(X), size))
        precision = self.layer_._precision
        return np.concatenate([self._flat(batch.astype(precision)).numpy() for batch in batches])

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names such as `S2_n1=3_n2=5_t=0`: order or kind, filters, position, channel.

        Positions are indices of output samples: `t` in time, `f` along log-frequency, `y` and `x`
        in the plane. In 3D `l` is the degree and `q` the power. `c` is the channel.
        """
        check_is_fitted(self, "layer_")
        # Its check of the names that come in is scikit-learn's only public one.
        OneToOneFeatureMixin.get_feature_names_out(cast(Any, self), input_features)
        return np.array(_names(self.layer_), object)

    # A pickle leaves out the graph, which follows from the layer.

    def __getstate__(self) -> dict[str, Any]:
        return {name: v for name, v in super().__getstate__().items() if name != "_flat"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if hasattr(self, "layer_"):
            self._trace()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # the layer decides
        return tags


# Besides the wavelets, the columns that tell paths of one order apart, if a layer has them.
_FILTERS = ("n_fr", "n_fr2", "n_oct", "delta", "n_theta", "theta")


def _path_names(meta: dict[str, np.ndarray]) -> list[str]:
    """Names such as `S2_n1=3_n2=5`, or `phase_n1=3_n2=5_imag` for moments of a kind."""
    if "kind" in meta:
        heads = meta["kind"]
        columns = [name for name, column in meta.items() if column.dtype.kind == "i"]
        ends = ["_imag" if part == "imag" else "" for part in meta.get("part", heads)]
    else:
        heads = [f"S{order}" for order in meta["order"]]
        wavelets = ("n1", "n2") if "n1" in meta else ("j1", "j2")
        columns = [*wavelets, *(name for name in _FILTERS if name in meta)]
        ends = [""] * len(heads)
    # Missing is -1, but a shift may be negative: it is missing where its length has no index.
    given = {n: meta["n" if n in ("t1", "t2") else n] >= 0 for n in columns}
    return [
        f"{head}{''.join(f'_{n}={meta[n][i]}' for n in columns if given[n][i])}{end}"
        for i, (head, end) in enumerate(zip(heads, ends, strict=True))
    ]


def _names(layer: ScatteringLayer) -> list[str]:
    """One name per number of the flattened output of a built layer."""
    built = layer._built("get_feature_names_out()")
    count = layer._signals.channels(built.shape)
    channels = [""] if count is None else [f"_c={c}" for c in range(count)]
    paths = _path_names(layer.meta())
    first = layer.data_format == "channels_first"

    def flat(merged: list[str], others: list[list[str]]) -> list[str]:
        """Names of one output, with other axes and one merged axis that holds the channels."""
        axes = [merged, *others] if first else [*others, merged]
        rows = [(*parts[first:], *parts[:first]) for parts in itertools.product(*axes)]
        # A name begins with the path, wherever the path's axis is.
        return [
            "_".join(sorted(parts, key=lambda part: "=" in part.split("_")[0])) for parts in rows
        ]

    if isinstance(layer, HarmonicScattering3D):
        powers = [f"q={q:g}{c}" for c in channels for q in layer.integral_powers]
        return flat(powers, [paths, [f"l={degree}" for degree in range(layer.L + 1)]])
    axes = "yx" if layer.rank == 2 else "t"
    if isinstance(layer, TimeFrequencyScattering) and layer.format == "joint":
        axes = "tf"
    groups = [paths] if built.plan.stacked else [[path] for path in paths]
    names = []
    for group, output in zip(groups, built.plan.outputs, strict=True):
        size = output[1:] if built.plan.stacked else output
        places = [
            [f"{a}={i}" for i in range(n)]
            for a, n in zip(axes[len(axes) - len(size) :], size, strict=True)
        ]
        names += flat([path + c for c in channels for path in group], places)
    return names

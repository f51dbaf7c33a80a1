"""The base of all scattering layers: arguments, weights, calls and saving."""

import abc
import difflib
import functools
import inspect
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_scattering import _validate
from keras_scattering.engine.cascade import scattering, separate
from keras_scattering.layers.filters import Filter
from keras_scattering.layers.signals import Shape, Signals
from keras_scattering.layers.units import in_seconds
from keras_scattering.plans.plan import Design, Domain, Plan, refuse_missing
from keras_scattering.runtime.batches import Batched
from keras_scattering.runtime.mode import Mode
from keras_scattering.runtime.tensorflow_internals import in_forward_mode

# Arguments of Kymatio's layers that have no counterpart here.
_KYMATIO = {"shape", "backend", "frontend", "pre_pad", "oversampling", "out_type", "average"}
_KYMATIO |= {"method", "vectorize"}


class _Built(NamedTuple):
    """The state of a built layer."""

    shape: Shape  # shape of the input, batch first
    plan: Plan
    design: Design  # its arrays are the layer's weights
    transform: Batched  # function of signals and weights


@functools.cache
def _first_process() -> int:
    """The process that has built a layer first; a fork of it inherits the answer."""
    return os.getpid()


def _refuse_forks() -> None:
    """Refuse to compute in a process that was forked after TensorFlow has begun to compute."""
    if _first_process() != os.getpid():
        raise RuntimeError(
            "A scattering layer was built before this process was forked, and TensorFlow's threads "
            "do not survive a fork: start processes by the method 'spawn'."
        )


def _floating(policy: Any) -> Any:
    """A dtype policy, refused unless it computes in a floating type."""
    if isinstance(policy, keras.DTypePolicy) and tf.as_dtype(policy.compute_dtype).is_floating:
        return policy
    raise ValueError(
        "Argument `dtype` must be a floating type, or a policy that computes in one. "
        f"Received: dtype={_validate.shown(policy)}"
    )


def _precision(policy: Any) -> str:
    """The type to compute in: float64 if the policy computes in it, else float32."""
    return "float64" if policy.compute_dtype == "float64" else "float32"


class ScatteringLayer(keras.Layer, abc.ABC):
    """Base class: a scattering transform of signals with `rank` axes, by the plan of the layer."""

    rank: int
    axes: str  # names of the signal's axes, for messages

    def __init__(
        self,
        data_format: str | None,
        *,
        jit_compile: bool = False,
        fft: str = "native",
        **kwargs: Any,
    ):
        # `call` casts the inputs, since a mixed policy would round them to half precision first.
        if (autocast := kwargs.pop("autocast", False)) is not False:
            raise ValueError(
                "Argument `autocast` must be False, since the layer casts its input itself. "
                f"Received: autocast={autocast!r}"
            )
        if foreign := _KYMATIO & kwargs.keys():
            raise ValueError(
                f"Argument `{min(foreign)}` is Kymatio's. {_validate.MIGRATION} "
                f"Received: {_validate.shown(kwargs)}"
            )
        self._refuse_misspelt(kwargs)
        super().__init__(autocast=False, **kwargs)
        _floating(self.dtype_policy)
        self.data_format = _validate.data_format(data_format)
        self.jit_compile = _validate.boolean("jit_compile", jit_compile)
        self.fft = _validate.one_of("fft", fft, ("native", "matrix"))
        self._signals = Signals(type(self).__name__, self.rank, self.axes, self.data_format)
        self._state: _Built | None = None
        self._filters: dict[str, keras.Variable] = {}
        self._building = threading.Lock()

    @classmethod
    def _refuse_misspelt(cls, given: Mapping[str, Any]) -> None:
        """Refuse arguments like one that the layer has; Keras refuses any other that is unknown."""
        makers = (inspect.signature(kind.__init__).parameters for kind in cls.__mro__)
        own = {name.lower(): name for maker in makers for name in maker}
        for name in ("self", "args", "kwargs"):
            own.pop(name, None)
        for name in sorted(given.keys() - set(own.values())):
            if near := difflib.get_close_matches(name.lower(), own, 1):
                raise ValueError(
                    f"{cls.__name__} has no argument `{name}`. Did you mean `{own[near[0]]}`? "
                    f"Received: {name}={_validate.shown(given[name])}"
                )

    @property
    def dtype_policy(self) -> Any:
        """The layer's dtype policy; its precision is fixed once the layer is built."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        policy = _floating(keras.dtype_policies.get(value))
        if self._state and _precision(policy) != self._precision:
            raise ValueError(
                f"Layer {self.name!r} is built, with filters in {self._precision}: for another "
                f"precision make a new layer. Received: dtype_policy={value!r}"
            )
        self._dtype_policy = policy

    @abc.abstractmethod
    def _make_plan(self, size: tuple[int, ...]) -> Plan:
        """The plan for signals of one size."""

    def meta(self, sampling_rate: float | None = None) -> dict[str, np.ndarray]:
        """The paths of the output, as columns of equal length: one row per path, in output order.

        Missing values are NaN in float columns and -1 in integer columns. The docstring of each
        layer lists its columns. `pandas.DataFrame(layer.meta())` makes a table of them.

        Args:
            sampling_rate: Samples per second, for signals in time. It adds columns next to those in
                samples. `xi1_hz`, `sigma1_hz`, `xi2_hz` and `sigma2_hz` are in Hz. `scale1_s` and
                `scale2_s` are the scales 2**j1 and 2**j2 in seconds, the widest steps at which the
                wavelets' responses may be sampled. The last column, `step_s`, is the time in
                seconds from one output sample of the path to the next. It is NaN for `T="global"`
                and `"signal"`. Columns along frequency, such as `xi_fr`, have no such copies.

        Returns:
            The columns, by name.

        Raises:
            ValueError: Before the layer is built, since paths depend on the signal's size. Also
                for a sampling rate that is not a positive number, or for a layer of images or
                volumes.
        """
        plan = self._built(f"{type(self).__name__}.meta()").plan
        if sampling_rate is None:
            return {name: column.copy() for name, column in plan.meta.items()}
        if self.axes != "time":
            raise ValueError(
                f"Argument `sampling_rate` is for signals in time, {type(self).__name__} for axes "
                f"({self.axes}): leave it None. Received: sampling_rate={sampling_rate!r}"
            )
        return in_seconds(plan, _validate.positive("sampling_rate", sampling_rate))

    def _built(self, reader: str) -> _Built:
        """The state of the built layer, or an error that names the reader."""
        if self._state is None:
            raise ValueError(
                f"{reader} needs a built layer, since the paths depend on the signal's size: call "
                f"the layer, or `build(input_shape)`, first. "
                f"Received: layer {self.name!r}, not built"
            )
        return self._state

    # Shapes

    def _batched(self, shape: Any) -> Shape:
        """An input shape with its batch axis."""
        return self._signals.batched(shape, self._state and self._state.shape)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """Shape of the output; for T=0 a list, one shape per path."""
        batched, shape = self._batched(input_shape), tuple(input_shape)
        if self._state is not None and batched[1:] == self._state.shape[1:]:
            plan = self._state.plan
        else:
            plan = self._plan(batched)
        outputs = self._output_shapes(plan, self._signals.channels(batched))
        lead = () if len(batched) > len(shape) else shape[:1]
        outputs = [(*lead, *output) for output in outputs]
        return outputs[0] if plan.stacked else outputs

    def _output_shapes(self, plan: Plan, channels: int | None) -> list[tuple[int, ...]]:
        """Shapes of the outputs without the batch."""
        if plan.stacked:
            paths, *size = plan.outputs[0]
            return [self._signals.with_channels(tuple(size), paths * (channels or 1))]
        if channels is None:
            return list(plan.outputs)
        return [self._signals.with_channels(size, channels) for size in plan.outputs]

    # Building and calling

    @property
    def _precision(self) -> str:
        return _precision(self.dtype_policy)

    def build(self, input_shape: Shape) -> None:
        """Design the filters for signals of the input's size, and keep them as weights."""
        shape = self._batched(input_shape)
        with self._building:  # first calls may come from many threads
            if self._state is None or self._state.shape[1:] != shape[1:]:
                self._design(shape)

    def _plan(self, shape: Shape) -> Plan:
        """The plan for inputs of a batched shape."""
        size = self._signals.size(shape)
        try:
            return self._make_plan(size)
        except ValueError as error:
            raise ValueError(f"{error}. {self._signals.reading(shape)}.") from error

    def _design(self, shape: Shape) -> None:
        _refuse_forks()
        plan = self._plan(shape)
        self._signals.warn_of_channels(shape)
        design = plan.design(np.dtype(self._precision))
        refuse_missing(plan.domain, design)
        self._filters = {
            name: Filter(
                lambda *_, array=array, **__: tf.constant(array),
                shape=array.shape,
                dtype=self._precision,
                trainable=False,
                autocast=False,
                name=name,
            )
            for name, array in design.arrays.items()
        }
        design.arrays.clear()  # the weights hold them now
        transform = Batched(
            functools.partial(self._transform, plan, design, tuple(self._filters)),
            outputs=1 if plan.stacked else len(design.rows),
            samples=design.samples,
            mode=Mode(matrix=self.fft == "matrix", xla=self.jit_compile),
            images=plan.domain is Domain.PLANE,
            divided=plan.domain is Domain.SOLID,
        )
        self._state = _Built((None, *shape[1:]), plan, design, transform)

    def _transform(
        self,
        plan: Plan,
        design: Design,
        names: Sequence[str],
        mode: Mode,
        items: Sequence[tf.Tensor],
        weights: Sequence[tf.Tensor],
    ) -> list[tf.Tensor]:
        """Coefficients of one part of the batch, in the layout of the data format if stacked."""
        (x,) = items
        x = x if self._signals.joint else x[:, None]
        outputs = scattering(plan, design, mode, dict(zip(names, weights, strict=True)), x)
        return [self._arrange(plan, y) for y in outputs] if plan.stacked else outputs

    @tf.autograph.experimental.do_not_convert
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse what is not one array, before Keras takes it apart; then call the layer."""
        # Keras' own signature, since graphs name their inputs by it.
        for inputs in args[:1] or [kwargs[name] for name in kwargs if name == "inputs"]:
            self._signals.refuse_other_than_an_array(inputs)
        return super().__call__(*args, **kwargs)

    def compute_output_spec(self, inputs: keras.KerasTensor) -> Any:
        """Shapes and type of the output for symbolic input, with the checks of `call`."""
        self._check(tuple(inputs.shape), inputs.dtype)
        return super().compute_output_spec(inputs)

    def _check(self, shape: Shape, dtype: str) -> None:
        """Refuse input whose type or size differs from those that the layer was built for."""
        kind = tf.as_dtype(dtype)
        if not (kind.is_floating or kind.is_integer or kind.is_bool):
            raise self._signals.not_real(dtype)
        built = self._state.shape if self._state else shape
        if shape != built[1:] and shape[1:] != built[1:]:
            raise ValueError(
                f"{type(self).__name__} was built for inputs of shape {built}. "
                f"Received: shape {shape}"
            )

    def call(self, inputs: Any) -> Any:
        """Scattering coefficients of a batch of signals, or of a single one."""
        _refuse_forks()
        shape, plan, design, _ = self._state  # type: ignore[misc]  # Keras has built it
        x = tf.convert_to_tensor(inputs)
        if x.shape.rank is None:
            raise ValueError(
                f"{type(self).__name__} takes inputs of known rank, which `tf.ensure_shape` gives "
                f"to a tensor. Received: shape {x.shape}"
            )
        self._check(tuple(x.shape), x.dtype.name)
        single = len(x.shape) == len(shape) - 1
        x = x[None] if single else x
        x = tf.cast(x, self._precision)
        # A served graph checks no shapes by itself: it would answer for a scrambled signal. XLA
        # aborts where the check comes before the cast.
        if not in_forward_mode(x):  # which has no derivative of such a check
            x = tf.ensure_shape(x, shape)
        outputs = self._coefficients(x)
        if not plan.stacked:
            outputs = separate(design, outputs)
        channels = self._signals.channels(shape)
        outputs = [
            self._signals.merge(tf.cast(y, self.compute_dtype), channels, plan.stacked)
            for y in outputs
        ]
        if single:
            outputs = [y[0] for y in outputs]
        return outputs[0] if plan.stacked else outputs

    def _coefficients(self, x: tf.Tensor) -> list[tf.Tensor]:
        """The results of the transform, (batch * channels, ...), of inputs in its precision."""
        shape, *_, transform = self._state  # type: ignore[misc]  # Keras has built it
        weights = [tf.convert_to_tensor(weight) for weight in self._filters.values()]
        return transform(self._signals.split(x, shape), weights)

    def _arrange(self, plan: Plan, y: tf.Tensor) -> tf.Tensor:
        """Stacked coefficients (batch, paths, *size), in the layout of the data format."""
        return self._signals.arrange(y)

    # Saving

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the layer by its configuration.

        Keras pickles an archive that contains the time of day. So a cache of transformed data, such
        as joblib's for the steps of a pipeline, would never recognise the layer.
        """
        return keras.saving.deserialize_keras_object, (keras.saving.serialize_keras_object(self),)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ScatteringLayer":
        """The layer that `get_config` describes."""
        # Keras would turn an error about an argument into a TypeError.
        try:
            return cls(**config)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"{cls.__name__} cannot be made of this configuration ({error!r}). "
                f"Received: {_validate.shown(config)}"
            ) from error

    def build_from_config(self, config: Any) -> None:
        """Build the layer as it was when it was saved."""
        try:
            super().build_from_config(config)
        except TypeError as error:
            raise ValueError(
                f"{type(self).__name__} cannot be built as its file says ({error!r}). "
                f"Received: {_validate.shown(config)}"
            ) from error

    def get_config(self) -> dict[str, Any]:
        """The arguments of the layer."""
        return {
            **super().get_config(),
            "data_format": self.data_format,
            "jit_compile": self.jit_compile,
            "fft": self.fft,
        }

    def save_own_variables(self, store: Any) -> None:
        """Nothing is stored: the filters follow from the arguments and the input's size."""

    def load_own_variables(self, store: Any) -> None:
        """Nothing to load: `build` has designed the filters."""

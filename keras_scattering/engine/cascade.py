r"""The cascade: the equation of a scattering transform, computed branch by branch.

The left column is the equation. The right column is the code in outline; `ops` is a `Lattice`.

    S0 = x * phi                      ops.average(x)
                                      X = ops.spectrum(x)
    U1 = |x * psi1|                   U1 = ops.modulus(X, psi1)
    S1 = |x * psi1| * phi             ops.average(U1)
    S2 = ||x * psi1| * psi2| * phi    ops.averaged_modulus(ops.spectrum(U1), psi2)

`scattering` computes S0 and X once. `_compute_branch` computes the rest for one branch: a few
wavelets psi1, and all wavelets psi2 that follow them. Deeper orders repeat the step from U1 to S2.

The graph computes two branches at a time, and drops their signals before the next branch begins.
Control dependencies impose this order. Without them, the graph would compute all branches at once,
and would hold all their signals in memory.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_scattering.engine.amplitude import Scale, largest, power_of_two
from keras_scattering.engine.averages import complete
from keras_scattering.engine.axes import extend
from keras_scattering.engine.covariances import covariances
from keras_scattering.engine.deep import deep_spectrum
from keras_scattering.engine.grams import products
from keras_scattering.engine.lattice import Lattice
from keras_scattering.engine.operations import operations
from keras_scattering.engine.ratios import powers, ratios
from keras_scattering.engine.spectra import Spectrum
from keras_scattering.engine.stacks import filter_stack
from keras_scattering.plans.averages import Average
from keras_scattering.plans.fields import Covariances
from keras_scattering.plans.plan import Branch, Design, Gram, Plan, Stack
from keras_scattering.runtime.gradient import differentiated
from keras_scattering.runtime.mode import Mode
from keras_scattering.runtime.parts import PARALLEL

After = Callable[[Spectrum, Sequence[Any]], Spectrum]
Finish = Callable[[tf.Tensor, Average | None], tf.Tensor]


def scattering(
    plan: Plan, design: Design, mode: Mode, arrays: Mapping[str, tf.Tensor], x: tf.Tensor
) -> list[tf.Tensor]:
    """Scattering coefficients of signals (batch, signals, *size).

    Args:
        plan: The outputs, and the degree of each row.
        design: The arithmetic of the plan.
        mode: The mode of computation, which decides on the operations.
        arrays: Filters and averages of the design, by name.
        x: The signals of each item: one, or all channels where moments compare channels.

    Returns:
        If the plan is stacked, one tensor (batch, rows, *outputs) in the plan's order. Otherwise
        one tensor per group of paths, in the design's order.
    """
    ops = operations(plan.domain, mode, arrays)
    # Moduli square their input. At unit amplitude the squares neither overflow nor vanish.
    scale = Scale((largest if mode.matrix else power_of_two)(x), differentiated([*arrays.values()]))
    u = extend(scale.divide(x), design.padding)
    joined = design.joined if plan.stacked else None
    finish = complete if joined is None else _incomplete
    outputs = [finish(ops.average(u, rule), rule) for rule in design.averages]
    after = _unordered if mode.xla or tf.executing_eagerly() else _in_order
    X = ops.spectrum(u, design.lines)
    done: list[Any] = []
    for branch in design.branches:
        averages = _compute_branch(branch, after(X, done), ops, after, finish)
        outputs += averages
        done.append(tf.group(*averages))
    if not plan.stacked:
        rows = design.rows
        return [scale.restore(y, plan.degrees_of(r)) for y, r in zip(outputs, rows, strict=True)]
    y = complete(tf.concat(outputs, 1), joined)
    order = np.argsort(np.concatenate(design.rows))
    y = y if (np.diff(order) == 1).all() else tf.gather(y, order, axis=1)
    if plan.ratios and plan.ratios.own:
        y = ratios(y, powers(y, plan.ratios), plan.ratios)
    y = scale.restore(y, plan.degrees)
    return [deep_spectrum(y, plan.deep, arrays) if plan.deep else y]


def _compute_branch(
    branch: Branch, X: Spectrum, ops: Lattice, after: After, finish: Finish
) -> list[tf.Tensor]:
    """The averages (b, rows, ...) of the nodes of a branch."""
    spectra = {0: X}
    outputs: list[tf.Tensor] = []
    for i, node in enumerate(branch.nodes, start=1):
        if isinstance(node, Gram):
            inputs = [(after(spectra[s], outputs), gain) for s, gain in node.sources]
            outputs.append(products(inputs, node, ops))
            continue
        sources = [(after(spectra[s], outputs), bank) for s, bank in node.sources]
        if isinstance(node, Covariances):
            outputs.append(covariances(sources, node, ops))
        elif isinstance(node, Stack):
            outputs += filter_stack(sources, node, ops)
        elif node.lines:
            u = ops.modulus(sources)
            spectra[i] = ops.spectrum(u, node.lines)
            if node.average:
                outputs.append(finish(ops.average(u, node.average), node.average))
        elif node.average:
            outputs.append(finish(ops.averaged_modulus(sources, node.average), node.average))
    return outputs


def _incomplete(y: tf.Tensor, rule: Average | None) -> tf.Tensor:
    """Averages as they are, for `scattering` to complete all rows at once."""
    return y


def separate(design: Design, groups: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Split the coefficients of groups of paths into one tensor per path, in the plan's order."""
    paths = [path for group in groups for path in tf.unstack(group, axis=1)]
    return [paths[i] for i in np.argsort(np.concatenate(design.rows))]


# The order of branches


def _unordered(x: Spectrum, done: Sequence[Any]) -> Spectrum:
    """The spectrum as it is, since XLA and eager calls have an order of their own."""
    return x


def _in_order(x: Spectrum, done: Sequence[Any]) -> Spectrum:
    """The same spectrum, which the graph reads only once all but the last of `done` exist."""
    if len(done) < PARALLEL:
        return x
    with tf.control_dependencies([done[-PARALLEL]]):
        return Spectrum(tf.identity(x.planes), x.lines)

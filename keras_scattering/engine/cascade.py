r"""The cascade: the equation of a scattering transform, run branch by branch.

A branch is a few wavelets of the first order, and all that follows from them:

    X  = spectrum(x)
    U1 = modulus(X, psi1)                  |x * psi1|
    S1 = average(U1)                       |x * psi1| * phi
    S2 = average(modulus(spectrum(U1), psi2))     ||x * psi1| * psi2| * phi

Two branches are under way at a time. Their signals are dropped before the next begins: control
dependencies tell the graph so, which would otherwise compute all branches at once and hold them all
in memory.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_scattering.engine.amplitude import Scale, largest, power_of_two
from keras_scattering.engine.averages import complete
from keras_scattering.engine.axes import extend
from keras_scattering.engine.grams import products
from keras_scattering.engine.lattice import Lattice
from keras_scattering.engine.operations import operations
from keras_scattering.engine.spectra import Spectrum
from keras_scattering.engine.stacks import filter_stack
from keras_scattering.plans.averages import Average
from keras_scattering.plans.plan import Branch, Design, Gram, Plan, Stack
from keras_scattering.runtime.gradient import differentiated
from keras_scattering.runtime.mode import Mode
from keras_scattering.runtime.parts import PARALLEL

After = Callable[[Spectrum, Sequence[Any]], Spectrum]
Finish = Callable[[tf.Tensor, Average | None], tf.Tensor]


def scattering(
    plan: Plan, design: Design, mode: Mode, arrays: Mapping[str, tf.Tensor], x: tf.Tensor
) -> list[tf.Tensor]:
    """Scattering coefficients of signals (batch, *size).

    Args:
        plan: What comes out.
        design: How it is computed.
        mode: By which operations.
        arrays: Filters and averages of the design, by name.
        x: The signals.

    Returns:
        If the plan is stacked, one tensor (batch, rows, *outputs) in its order; else one per group
        of paths, as the design makes them.
    """
    run = operations(plan.domain, mode, arrays)
    # Moduli square their input: signals of unit amplitude neither overflow nor vanish in doing so.
    scale = Scale((largest if mode.matrix else power_of_two)(x), differentiated([*arrays.values()]))
    u = extend(scale.divide(x)[:, None], design.padding)
    joined = design.joined if plan.stacked else None
    finish = complete if joined is None else _incomplete
    outputs = [finish(run.average(u, design.average), design.average)] if design.average else []
    after = _unordered if mode.xla or tf.executing_eagerly() else _in_order
    X = run.spectrum(u, design.lines)
    done: list[Any] = []
    for branch in design.branches:
        made = _run_branch(branch, after(X, done), run, after, finish)
        outputs += made
        done.append(tf.group(*made))
    if not plan.stacked:
        rows = design.rows
        return [scale.restore(y, plan.degrees_of(r)) for y, r in zip(outputs, rows, strict=True)]
    y = complete(tf.concat(outputs, 1), joined)
    order = np.argsort(np.concatenate(design.rows))
    y = y if (np.diff(order) == 1).all() else tf.gather(y, order, axis=1)
    return [scale.restore(y, plan.degrees)]


def _run_branch(
    branch: Branch, x: Spectrum, run: Lattice, after: After, finish: Finish
) -> list[tf.Tensor]:
    """The averages (b, rows, ...) of the nodes of a branch."""
    spectra = {0: x}
    outputs: list[tf.Tensor] = []
    for i, node in enumerate(branch.nodes, start=1):
        if isinstance(node, Gram):
            inputs = [after(spectra[s], outputs) for s in node.sources]
            outputs.append(products(inputs, node, run.arrays[node.weights]))
            continue
        sources = [(after(spectra[s], outputs), bank) for s, bank in node.sources]
        if isinstance(node, Stack):
            outputs += filter_stack(sources, node, run)
        elif node.lines:
            u = run.modulus(sources)
            spectra[i] = run.spectrum(u, node.lines)
            if node.average:
                outputs.append(finish(run.average(u, node.average), node.average))
        elif node.average:
            outputs.append(finish(run.averaged_modulus(sources, node.average), node.average))
    return outputs


def _incomplete(y: tf.Tensor, rule: Average | None) -> tf.Tensor:
    """Averages as they are: all rows will be completed at once."""
    return y


def separate(design: Design, groups: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Coefficients in the plan's order, one tensor per path, of those of groups of paths."""
    paths = [path for group in groups for path in tf.unstack(group, axis=1)]
    return [paths[i] for i in np.argsort(np.concatenate(design.rows))]


# The order of branches


def _unordered(x: Spectrum, done: Sequence[Any]) -> Spectrum:
    """The spectrum as it is: XLA has an order of its own, and eager calls have theirs."""
    return x


def _in_order(x: Spectrum, done: Sequence[Any]) -> Spectrum:
    """The same spectrum, not to be read before all but the last of what is given is done."""
    if len(done) < PARALLEL:
        return x
    with tf.control_dependencies([done[-PARALLEL]]):
        return Spectrum(tf.identity(x.planes), x.lines)

"""The peers, and the kernels inside JAX programs, on a machine without TensorFlow.

    python -m benchmarks.without_tensorflow [--tiny] [--output FOLDER]

Pooling forward and with its gradient, then the fair fight: a training step in which XLA
may fuse what comes before into its own reductions, while a custom call makes it write x
first. Everyone is checked before it is timed.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np

from benchmarks import cases, correctness, environment, measure, results
from benchmarks.engines import create_engine
from benchmarks.peers import PEERS
from tests.support import cuda_launchers

_CASES = (
    cases.Case(*cases.LARGE),
    cases.Case(*cases.LARGE, "bfloat16"),
    cases.Case(*cases.LARGE, layout="channels_first"),
    cases.Case(*cases.LARGE, masked=0.25),
)
_TINY_CASES = (cases.Case(3, 40, 16), cases.Case(3, 40, 16, masked=0.25))
_MODES = cases.FORWARD, cases.FORWARD_BACKWARD
_BUDGET = 2.0  # seconds of timing for all in a cell
_FEATURES, _KERNEL, _CLASSES = 40, 5, 10
_AGREEMENT = {"float32": 1e-3, "bfloat16": 3e-2}


def main(arguments=None) -> int:
    """Returns 0 if every kernel of ours was right."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--tiny", action="store_true", help="small inputs, once")
    parser.add_argument("--output", type=Path, default=Path("output/peers"))
    arguments = parser.parse_args(arguments)
    device = "gpu" if cuda_launchers.has_gpu() else "cpu"
    name = cuda_launchers.gpu_name() if device == "gpu" else None
    described = environment.describe_environment(device, name)
    session = Session(results.Writer(arguments.output, described), device)
    chosen = _TINY_CASES if arguments.tiny else _CASES
    for case in chosen:
        for mode in _MODES:
            session.run(cases.Cell(mode, "call", case))
    for case in chosen[: 1 if arguments.tiny else 2]:
        session.run_training(case)
    return int(not session.ours_right)


class Session:
    """Checks and times everyone, cell by cell."""

    def __init__(self, writer, device):
        self._writer, self._device = writer, device
        self._engines = {}
        self._checker = correctness.Checker()
        self.ours_right = True

    def run(self, cell) -> None:
        """One cell: who can't run is said, and left out."""
        arrays = cases.make_inputs(cell.case)
        rows, contenders = [], []
        for provider in PEERS:
            row = self._row(provider, cell)
            try:
                engine = self._engine(provider.engine)
                placed = engine.place(arrays)
                outputs = engine.outputs(provider, cell.mode, cell.case, placed)
                verdict = self._checker.judge_slice(
                    cell.case, arrays, provider.epsilon, outputs
                )
                row.status, row.reason = verdict.status, verdict.reason
                row.error = verdict.error
                runner = engine.runner(provider, cell, placed)
                contenders.append(measure.calibrate(runner, 5e-3))
                rows.append(row)
            except Exception as error:  # whatever it is, the others go on
                row.status, row.reason = "failed", f"{type(error).__name__}: {error}"
                print(f"{cell.label} {provider.name}: {row.reason[:300]}")
                self._writer.add(row)
            self.ours_right &= not provider.ours or row.status == correctness.OK
        self._time(cell.label, rows, contenders)

    def run_training(self, case) -> None:
        """The fair fight, in JAX; `case` is what the pooling sees."""
        cell = cases.Cell("train convolution", "step", case)
        rows, contenders, losses = [], [], []
        for provider in PEERS:
            if provider.engine != "jax" or provider.epsilon == 0:
                continue
            self._engine("jax")
            run, loss = training_step(provider.pool, case)
            rows.append(self._row(provider, cell))
            losses.append(loss)
            contenders.append(measure.calibrate(measure.Runner(run), 5e-3))
        agree = np.allclose(losses, losses[0], rtol=_AGREEMENT[case.dtype])
        self.ours_right &= bool(agree)
        for row, loss in zip(rows, losses, strict=True):
            row.status = correctness.OK if agree else correctness.WRONG
            row.reason = f"loss {loss:.6g} after a step"
        self._time(cell.label, rows, contenders)

    def _engine(self, name):
        if name not in self._engines:
            self._engines[name] = create_engine(name, self._device)
        return self._engines[name]

    def _time(self, label, rows, contenders) -> None:
        measure.take_rounds(contenders, _BUDGET)
        for row, samples in zip(rows, contenders, strict=True):
            quantiles = np.quantile(samples.seconds, [0.2, 0.5, 0.8])
            row.seconds_q20, row.seconds, row.seconds_q80 = map(float, quantiles)
            row.samples, row.calls_per_sample = len(samples.seconds), samples.calls
            if row.bytes:
                row.gb_per_s = row.bytes / row.seconds / 1e9
            self._writer.add(row)
            print(f"{label} {row.provider}: {row.seconds * 1e6:.1f} us, {row.status}")

    def _row(self, provider, cell):
        case = cell.case
        return results.Row(
            provider.name,
            provider.engine,
            ours=provider.ours,
            compiled=provider.compiled,
            mode=cell.mode,
            dispatch=cell.dispatch,
            **dataclasses.asdict(case),
            bytes=case.moved_bytes(cell.mode),
        )


def training_step(pool, case):
    """Convolution, ReLU, max pooling, pooling over time, dense; one step of SGD.

    Returns a function that runs so many steps and waits, and the loss after one.
    """
    import jax
    import jax.numpy as jnp

    dtype = cases.numpy_dtype(case.dtype)
    random = np.random.default_rng(0)

    def draw(*shape):
        scale = 1 / np.sqrt(np.prod(shape[:-1]))
        return jnp.asarray(random.normal(0, scale, shape).astype(dtype))

    series = draw(case.batch, 2 * case.time, _FEATURES) * 100
    labels = jnp.asarray(random.integers(0, _CLASSES, case.batch))
    weights = (
        draw(_KERNEL, _FEATURES, case.channels),
        draw(len(cases.STATISTICS) * case.channels, _CLASSES),
    )

    def loss(weights, series, labels):
        filters, dense = weights
        x = jax.lax.conv_general_dilated(
            series, filters, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
        )
        x = jax.nn.relu(x)
        x = x.reshape(case.batch, case.time, 2, case.channels).max(2)
        logits = (pool(x, None, 1) @ dense).astype(jnp.float32)
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)
        return -picked.mean()

    @jax.jit
    def step(weights, series, labels):
        value, slopes = jax.value_and_grad(loss)(weights, series, labels)
        moved = [
            w - jnp.asarray(1e-2, dtype) * s
            for w, s in zip(weights, slopes, strict=True)
        ]
        return value, tuple(moved)

    def run(steps):
        now = weights
        for _ in range(steps):
            _, now = step(now, series, labels)
        jax.block_until_ready(now)

    _, moved = step(weights, series, labels)
    return run, float(step(moved, series, labels)[0])


if __name__ == "__main__":
    sys.exit(main())

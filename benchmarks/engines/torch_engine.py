"""PyTorch as an engine: functions called from Python one by one."""

import ml_dtypes
import numpy as np
import torch

from benchmarks import cases, measure
from benchmarks.engines import Engine
from benchmarks.providers import Provider


def _pooling(epsilon):
    def pool(x, mask, axis):
        if mask is None:
            mean, largest = x.mean(axis), x.amax(axis)
        else:
            kept = mask.unsqueeze(3 - axis)
            largest = x.masked_fill(~kept, -torch.inf).amax(axis)
            x = x.masked_fill(~kept, 0)
            mean = x.sum(axis) / kept.sum(axis)
        norm = torch.sqrt((x * x).sum(axis) + epsilon)
        return torch.cat([mean, largest, norm], -1)

    return pool


PROVIDERS = (
    Provider("torch Lambda", _pooling(0.0), "torch", epsilon=0),
    Provider("torch eager", _pooling(cases.EPSILON), "torch"),
    Provider("torch.compile", _pooling(cases.EPSILON), "torch", compiled=True),
)


def create(device: str) -> "TorchEngine":
    """Creates the engine."""
    if device == "gpu" and not torch.cuda.is_available():
        raise RuntimeError("PyTorch sees no GPU here")
    return TorchEngine("cuda" if device == "gpu" else "cpu")


class TorchEngine(Engine):
    """Runs providers on one device, eagerly or under torch.compile."""

    def __init__(self, device: str):
        self._device = device

    def place(self, arrays):
        """Copies the inputs to the device."""
        return [self._tensor(a) for a in (arrays.x, arrays.upstream, arrays.mask)]

    def outputs(self, provider, mode, case, placed):
        """Runs once."""
        return [_array(t) for t in _operation(provider, mode, case)(*placed)]

    def runner(self, provider, cell, placed):
        """Calls from Python."""
        operation = _operation(provider, cell.mode, cell.case)
        wait = torch.cuda.synchronize if self._device == "cuda" else lambda: None
        return measure.calls(lambda: operation(*placed), wait)

    def _tensor(self, array):
        if array is None:
            return None
        if array.dtype != ml_dtypes.bfloat16:
            return torch.from_numpy(array).to(self._device)
        bits = torch.from_numpy(array.view(np.uint16))
        return bits.view(torch.bfloat16).to(self._device)


def _array(tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    if tensor.dtype != torch.bfloat16:
        return tensor.numpy()
    return tensor.view(torch.uint16).numpy().view(ml_dtypes.bfloat16)


def _operation(provider, mode, case):
    pool = provider.pool
    if provider.compiled:
        # Else it gives up compiling after a few shapes, and runs uncompiled.
        torch._dynamo.reset()
        pool = torch.compile(pool, dynamic=False)

    def operation(x, upstream, mask):
        if mode == cases.FORWARD:
            with torch.no_grad():
                return [pool(x, mask, case.time_axis)]
        x = x.detach().requires_grad_()
        y = pool(x, mask, case.time_axis)
        return [y, *torch.autograd.grad(y, x, upstream)]

    return operation

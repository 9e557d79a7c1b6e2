"""PyTorch as an engine: functions called from Python one by one."""

import ml_dtypes
import numpy as np
import torch

from benchmarks import cases
from benchmarks.engines import dispatch
from benchmarks.measure import Runner


def create(device: str) -> "TorchEngine":
    """Creates the engine."""
    if device == "gpu" and not torch.cuda.is_available():
        raise RuntimeError("PyTorch sees no GPU here")
    return TorchEngine("cuda" if device == "gpu" else "cpu")


class TorchEngine:
    """Runs providers on one device, eagerly or under torch.compile."""

    def __init__(self, device: str):
        self._device = device

    def handles(self, cell: cases.Cell) -> bool:
        """Has no loop inside a graph, which only large inputs can do without."""
        return cell.dispatch in ("call", "graph") and not dispatch.in_loop(cell)

    def place(self, arrays: cases.Inputs) -> list[torch.Tensor | None]:
        """Copies the inputs to the device."""
        return [self._tensor(a) for a in (arrays.x, arrays.upstream, arrays.mask)]

    def outputs(self, provider, mode, case, placed) -> list[np.ndarray]:
        """Runs once."""
        return [_array(t) for t in _operation(provider, mode, case)(*placed)]

    def runner(self, provider, cell: cases.Cell, placed) -> Runner:
        """Calls from Python."""
        operation = _operation(provider, cell.mode, cell.case)
        on_gpu = self._device == "cuda"
        return dispatch.python_calls(
            lambda x: operation(x, *placed[1:]),
            cell.case,
            placed[0],
            copy=torch.clone,
            wait=torch.cuda.synchronize if on_gpu else lambda: None,
        )

    def _tensor(self, array):
        if array is None:
            return None
        if array.dtype == ml_dtypes.bfloat16:
            tensor = torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16)
        else:
            tensor = torch.from_numpy(array)
        return tensor.to(self._device)


def _array(tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.uint16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


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

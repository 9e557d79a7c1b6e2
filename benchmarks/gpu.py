"""Kernel launches and device time of a call, from TensorFlow's profiler."""

import dataclasses
import tempfile
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class DeviceWork:
    """What a call did on the GPU.

    Attributes:
        launches: Kernels, copies and fills.
        seconds: Their time on the device.
    """

    launches: int
    seconds: float


def profile(call) -> DeviceWork:
    """Runs the call once under the profiler."""
    events = [
        event
        for name, plane in trace(call)
        if name.startswith("/device:GPU")
        for line in plane.lines
        if line.name.startswith("Stream")
        for event in line.events
    ]
    return DeviceWork(len(events), sum(e.duration_ps for e in events) / 1e12)


def trace(call) -> list[tuple[str, object]]:
    """Runs the call under the profiler and returns its planes with their names."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        try:
            call()
        finally:
            tf.profiler.experimental.stop()
        planes = []
        for path in Path(folder).rglob("*.xplane.pb"):
            planes += xplane_pb2.XSpace.FromString(path.read_bytes()).planes
    return [(plane.name, plane) for plane in planes]

"""The C++ core without TensorFlow: what the kernels alone can do."""

from benchmarks.providers.provider import Provider

PROVIDERS = (
    Provider("statpool core", engine="core", ours=True),
    Provider("statpool core 1 thread", engine="core", threads=1, ours=True),
)

"""The ways of pooling that are compared. A new one is a few lines in a file here."""

from benchmarks.providers import core, peers, statpool_tensorflow, tensorflow
from benchmarks.providers.provider import Provider

__all__ = ["Provider", "select_providers"]

_PROVIDERS = (*tensorflow.PROVIDERS, *statpool_tensorflow.PROVIDERS, *core.PROVIDERS)


def select_providers(with_peers: bool) -> tuple[Provider, ...]:
    """All providers, those outside TensorFlow's world on request."""
    return (*_PROVIDERS, *peers.PROVIDERS) if with_peers else _PROVIDERS

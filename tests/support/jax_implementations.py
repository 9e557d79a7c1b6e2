"""JAX as an implementation, with the kernels and with its own operations."""

import numpy as np

from tests.support.implementation import Implementation


class Jax(Implementation):
    """`statpool.jax`, called eagerly, which compiles each shape once."""

    takes_views = False

    def __init__(self, implementation):
        self.name = "jax" if implementation == "native" else f"jax-{implementation}"
        self.implementation = implementation
        self.flushes_denormals = implementation != "native"
        self.compiles_each_shape = implementation != "native"

    def leeway(self, time):
        """As that of TensorFlow's composite: (8 + T) u, not 8 u."""
        return 1 + time / 8 if self.implementation == "composite" else 1

    def load(self):
        self.forward(np.zeros((1, 1, 1), np.float32))

    def forward(self, x, mask=None, lengths=None, **options):
        return np.asarray(self._pool(x, mask, lengths, **options))

    def gradient(self, x, upstream, mask=None, lengths=None, **options):
        import jax

        y, pull_back = jax.vjp(lambda x: self._pool(x, mask, lengths, **options), x)
        from statpool import _inputs

        _inputs.check_upstream_dtype(upstream.dtype, y.dtype)
        _inputs.check_upstream_shape(upstream.shape, y.shape)
        return np.asarray(pull_back(upstream)[0])

    def _pool(self, *arrays, **options):
        import jax

        import statpool.jax

        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_enable_x64", True)
        return statpool.jax.global_stats(
            *arrays, implementation=self.implementation, **options
        )

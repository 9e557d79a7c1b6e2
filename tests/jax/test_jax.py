"""What JAX does with `statpool.jax` beside calling it."""

import sys

import numpy as np
import pytest

from tests.support.exact import STATISTICS
from tests.support.fresh_process import call

STEPS = 7


@pytest.fixture(params=["native", "composite"])
def pool(request):
    pytest.importorskip("jax")
    return _pool(request.param)


def _pool(implementation):
    import statpool.jax

    def pool(x, *padding):
        return statpool.jax.global_stats(
            x,
            *padding,
            statistics=STATISTICS,
            epsilon=1e-3,
            implementation=implementation,
        )

    return pool


def arrays(batch=4):
    x = np.random.default_rng(0).normal(size=(batch, STEPS, 5)).astype(np.float32)
    lengths = (np.arange(batch, dtype=np.int32) * 3) % (STEPS + 1)
    return x, np.arange(STEPS) != np.arange(batch)[:, None], lengths


def test_forward_mode_agrees_with_reverse_mode(pool):
    import jax

    x, *padding = arrays(2)
    both = [mode(pool)(x, *padding) for mode in (jax.jacfwd, jax.jacrev)]
    np.testing.assert_allclose(*both, atol=1e-6)
    assert np.abs(both[0]).max() > 0.1


def test_hessians_agree_in_all_modes(pool):
    import jax

    x, *padding = arrays(2)
    weights = np.arange(1.0, 61).reshape(2, 30).astype(np.float32)

    def loss(x):
        return (pool(x, *padding) * weights).sum()

    modes = jax.jacfwd, jax.jacrev
    found = [outer(inner(loss))(x) for outer in modes for inner in modes]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-4, atol=1e-4)
    assert np.abs(found[0]).max() > 0.1


def test_vmap_is_one_call_of_a_larger_batch(pool):
    import jax

    x, mask, lengths = arrays()
    mapped = jax.jit(jax.vmap(pool, (0, None, None)))
    twice = np.stack([x, x[::-1]])
    found = mapped(twice, mask, lengths)
    for one, of_one in zip(twice, found, strict=True):
        np.testing.assert_array_equal(of_one, pool(one, mask, lengths))
    program = mapped.lower(twice, mask, lengths).as_text()
    assert "while" not in program
    assert program.count("@statpool.global_stats(") in (0, 1)


def test_a_gradient_calls_the_native_kernels():
    jax = pytest.importorskip("jax")
    x, *_ = arrays()
    step = jax.jit(jax.grad(lambda x: _pool("native")(x).sum()))
    program = step.lower(x).as_text()
    assert program.count("@statpool.global_stats(") == 1
    assert program.count("@statpool.global_stats_gradient(") == 1


def test_a_donated_input_is_pooled_right(pool):
    import jax

    x, *padding = arrays()
    gradient = jax.grad(lambda x: pool(x, *padding).sum())
    expected = jax.jit(gradient)(x)
    step = jax.jit(gradient, donate_argnums=0)
    np.testing.assert_array_equal(step(jax.numpy.array(x)), expected)


def test_traced_masks_of_other_numbers_give_nan(pool):
    import jax

    x, mask, _ = arrays()
    pooled = jax.jit(pool)(x, np.where(mask, 0.0, -1e9).astype(np.float32))
    assert np.isnan(pooled).all()


def test_rules_are_broken_while_tracing(pool):
    import jax

    x, mask, _ = arrays()
    with pytest.raises(ValueError, match="mask must have shape"):
        jax.jit(pool)(x, mask[:, 1:])
    with pytest.raises(ValueError, match="x must have one of the dtypes"):
        jax.jit(pool)(x.astype(np.int32))


def test_an_older_jaxlib_is_named_before_it_sees_the_handlers(monkeypatch):
    """XLA would refuse them, and then have no devices at all."""
    pytest.importorskip("jax")
    from statpool import _jax_handlers

    why = _jax_handlers.why_unavailable.__wrapped__
    assert why("cpu") is None
    monkeypatch.setattr(_jax_handlers.jaxlib.version, "__version_info__", (0, 8, 0))
    assert "or newer, got" in why("cpu")


# ---------------------------------------------------------------- in fresh processes


def import_alone():
    import statpool.jax  # noqa: F401

    return [name for name in ("tensorflow", "keras") if name in sys.modules]


def test_importing_it_loads_no_tensorflow():
    pytest.importorskip("jax")
    assert call(import_alone) == []


def shard(implementation):
    """Pools and differentiates on two devices, cut along the batch."""
    import jax
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    pool = _pool(implementation)
    mesh, batch = Mesh(np.array(jax.devices()), ("batch",)), PartitionSpec("batch")
    assert mesh.size == 2

    def gradient(*arguments):
        return jax.grad(lambda x: (pool(x, *arguments[1:]) ** 2).sum())(arguments[0])

    arguments = arrays()
    cut = jax.device_put(arguments, NamedSharding(mesh, batch))
    for function in (pool, gradient):
        expected = function(*arguments)
        by_shards = jax.shard_map(function, mesh=mesh, in_specs=batch, out_specs=batch)
        for program in (function, by_shards):
            compiled = jax.jit(program).lower(*cut).compile()
            text = compiled.as_text()
            for exchange in ("all-gather", "all-reduce", "all-to-all", "permute("):
                assert exchange not in text
            found = compiled(*cut)
            assert found.sharding.spec[0] == "batch"
            bits = 0 if implementation == "native" else 1e-6  # XLA fuses otherwise
            np.testing.assert_allclose(found, expected, rtol=bits, atol=bits)


@pytest.mark.parametrize("implementation", ["native", "composite"])
def test_two_devices_share_a_batch_and_exchange_nothing(implementation, monkeypatch):
    pytest.importorskip("jax")
    flag = "--xla_force_host_platform_device_count=2"
    monkeypatch.setenv("XLA_FLAGS", flag)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    call(shard, implementation)

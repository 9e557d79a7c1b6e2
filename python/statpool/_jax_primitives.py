"""Pooling as JAX transforms it: three primitives that are derivatives of each other.

    pool(x, padding...)                       -> y, saved
    gradient(upstream, x, saved, padding...)  -> of x; linear in the upstream
    tangent(change, x, saved, padding...)     -> of y; linear in the change of x

The last two are each other's transpose. So reverse mode calls the native gradient, and
forward mode and second derivatives take the formulas of `_jax_composite`. The ways that
JAX offers for it lack one half each: a custom_vjp has no forward mode, and the tangent
of a custom_jvp has no transpose of its own.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from statpool import _jax_composite, _jax_handlers, _native
from statpool._options import INPUT_ACTIVATIONS, Options


@dataclasses.dataclass(frozen=True)
class Call:
    """What is known of a call but its arrays, of which the padding comes last."""

    options: Options  # without keepdims
    has_mask: bool  # bool [B, T]
    has_lengths: bool  # int64 [B], or int32 [B, 2]: the low and high halves
    implementation: str

    def padding(self, arrays):
        """The mask and the lengths, None for what there isn't."""
        arrays = iter(arrays)
        mask = next(arrays) if self.has_mask else None
        lengths = next(arrays) if self.has_lengths else None
        if lengths is not None and lengths.ndim == 2:
            lengths = lengths[:, 0]
        return mask, lengths

    def saved(self, x):
        """The shape and dtype of what the native gradient needs of the forward pass."""
        planes = 0
        if self.implementation != "composite":
            planes = _native.core().saved_plane_count(self.options.kernel_statistics)
        shape = x.shape[0], planes, x.shape[self.options.channel]
        return shape, np.float64 if x.dtype == np.float64 else np.float32


def pool(x, padding, call):
    """The statistics `[B, S * C]` of x, with padding as `call` describes it."""
    return _pool_p.bind(x, *padding, call=call)[0]


# ------------------------------------------------------------------------ primitives


def _primitive(stock):
    """A primitive that is this function, as long as nobody lowers it otherwise."""
    primitive = Primitive(f"statpool{stock.__name__}")
    primitive.multiple_results = True

    @primitive.def_abstract_eval
    def abstract_eval(*avals, call):
        return jax.make_jaxpr(functools.partial(stock, call=call))(*avals).out_avals

    @primitive.def_impl
    def impl(*arrays, call):
        with jax.disable_jit(False):
            return _compiled(primitive, call)(*arrays)

    def batch(arrays, axes, call):
        """An axis that is mapped over becomes a part of the batch."""
        pairs = zip(arrays, axes, strict=True)
        sizes = (a.shape[axis] for a, axis in pairs if axis is not None)
        size = next(sizes)

        def folded(array, axis):
            if axis is None:
                array = jnp.broadcast_to(array, (size, *array.shape))
            else:
                array = jnp.moveaxis(array, axis, 0)
            return array.reshape(size * array.shape[1], *array.shape[2:])

        found = primitive.bind(*map(folded, arrays, axes), call=call)
        unfolded = [y.reshape(size, y.shape[0] // size, *y.shape[1:]) for y in found]
        return unfolded, [0] * len(unfolded)

    batching.primitive_batchers[primitive] = batch
    mlir.register_lowering(primitive, mlir.lower_fun(stock, multiple_results=True))
    return primitive


@functools.cache
def _compiled(primitive, call):
    return jax.jit(functools.partial(primitive.bind, call=call))


# What the primitives are in operations of JAX.


def _pool(x, *padding, call):
    y = _jax_composite.values(x, *call.padding(padding), call.options)
    # Nobody reads it; it has the mesh's axes along which y varies.
    shape, dtype = call.saved(x)
    return y, jnp.broadcast_to(y[:, None, :1].astype(dtype), shape)


def _gradient(upstream, x, saved, *padding, call):
    padding = call.padding(padding)
    return [_jax_composite.gradient(x, upstream, *padding, call.options)]


def _tangent(change, x, saved, *padding, call):
    padding = call.padding(padding)
    return [_jax_composite.tangent(x, change, *padding, call.options)]


_pool_p, _gradient_p, _tangent_p = map(_primitive, (_pool, _gradient, _tangent))

# ----------------------------------------------------------------------- derivatives


def _pool_jvp(primals, tangents, *, call):
    x, *padding = primals
    y, saved = _pool_p.bind(*primals, call=call)
    change = ad.instantiate_zeros(tangents[0])
    of_y = _tangent_p.bind(change, x, saved, *padding, call=call)
    # Who differentiates has no use for what is saved.
    return [y, saved], [*of_y, jnp.zeros_like(saved)]


def _linear_jvp(primitive, formula, primals, tangents, *, call):
    """Of what is linear in its first operand, and a formula in x."""
    first, x, saved, *padding = primals
    found = primitive.bind(*primals, call=call)
    changes = []
    if type(tangents[0]) is not ad.Zero:
        changes += primitive.bind(tangents[0], x, saved, *padding, call=call)
    if type(tangents[1]) is not ad.Zero:

        def of_x(x):
            return formula(first, x, saved, *padding, call=call)[0]

        changes.append(jax.jvp(of_x, (x,), (tangents[1],))[1])
    return found, [sum(changes, start=jnp.zeros_like(found[0]))]


def _transpose(primitive, cotangents, first, *others, call):
    if type(cotangents[0]) is ad.Zero:
        return [ad.Zero(first.aval), *[None for _ in others]]
    found = primitive.bind(*cotangents, *others, call=call)
    return [*found, *[None for _ in others]]


ad.primitive_jvps[_pool_p] = _pool_jvp
for _primitive_p, _formula, _transposed_p in (
    (_gradient_p, _gradient, _tangent_p),
    (_tangent_p, _tangent, _gradient_p),
):
    _jvp = functools.partial(_linear_jvp, _primitive_p, _formula)
    ad.primitive_jvps[_primitive_p] = _jvp
    ad.primitive_transposes[_primitive_p] = functools.partial(_transpose, _transposed_p)

# -------------------------------------------------------------------- native kernels


def _lower(primitive, stock, target, platform):
    """Has JAX lower a primitive to its handler, where that can be had."""
    stock = mlir.lower_fun(stock, multiple_results=True)

    def rule(context, *arrays, call):
        if call.implementation == "composite":
            return stock(context, *arrays, call=call)
        reason = _jax_handlers.why_unavailable(platform)
        if reason is None:
            native = jax.ffi.ffi_lowering(
                target, extra_attributes=_cut_along_the_batch(context)
            )
            return native(context, *arrays, **_attributes(call.options))
        if call.implementation == "native":
            raise _native.NativeLibraryError(reason)
        _native.warn_once(reason)
        return stock(context, *arrays, call=call)

    mlir.register_lowering(primitive, rule, platform)


def _attributes(options):
    """What cc/xla/custom_call.h names."""
    known, names = _native.core().statistics(), options.kernel_statistics
    return {
        "layout": np.int32(options.time - 1),
        "epsilon": np.float64(options.epsilon),
        "activation": np.int32(INPUT_ACTIVATIONS.index(options.input_activation)),
        "negative_slope": np.float64(options.negative_slope),
        "statistics": np.array([known.index(n) for n in names], np.int32),
    }


def _cut_along_the_batch(context):
    """Tells XLA that each device may call with a part of the batch.

    The first says it to the partitioner, the second to the propagation of shardings:
    there an axis has a name of its own, unless it is the batch.
    """
    sizes = {}  # of the axes, by their names: letters from i on, as Shardy wants them

    def named(avals):
        mappings = []
        for aval in avals:
            sizes["i"] = aval.shape[0]
            names = ["i"]
            for size in aval.shape[1:]:
                names.append(chr(ord("i") + len(sizes)))
                sizes[names[-1]] = size
            mappings.append("[" + ", ".join(names) + "]")
        return "(" + ", ".join(mappings) + ")"

    rule = f"{named(context.avals_in)}->{named(context.avals_out)}"
    factors = ", ".join(f"{name}={size}" for name, size in sizes.items())
    rule = f"#sdy.op_sharding_rule<{rule} {{{factors}}}, custom>"
    return {
        "mhlo.frontend_attributes": mlir.ir_attribute({"num_batch_dims": "1"}),
        "sdy.sharding_rule": mlir.ir.Attribute.parse(rule),
    }


for _platform in ("cpu", "cuda"):
    _lower(_pool_p, _pool, _jax_handlers.TARGETS[0], _platform)
    _lower(_gradient_p, _gradient, _jax_handlers.TARGETS[1], _platform)

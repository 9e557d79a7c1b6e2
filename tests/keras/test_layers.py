"""The Keras layer: generic layer checks, and numbers against the reference."""

import functools
import inspect
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import reference
from tests.support.fresh_process import call

Pooling = statpool.GlobalStatsPooling1D
IMPLEMENTATIONS = pytest.mark.parametrize("implementation", ["native", "composite"])
assert_close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(4, 10, 6)).astype(np.float32)


@pytest.fixture
def masked(x):
    """Silent steps in x, which `Masking` leaves out, and the mask that it makes."""
    x[0, 2] = x[1, 0] = x[2, 7:] = 0
    return x, (x != 0).any(-1)


def small_model(layer, first=None):
    inputs = keras.Input((None, 6))
    hidden = inputs if first is None else first(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(layer(hidden)))
    model.compile("adam", "mse")
    return model


def model_with_lengths(*shape, dtype="int32", first=None):
    """A functional model of x and its lengths."""
    inputs, lengths = keras.Input((None, 6)), keras.Input(shape, dtype=dtype)
    hidden = inputs if first is None else first(inputs)
    return keras.Model([inputs, lengths], Pooling()(hidden, lengths=lengths))


def load_and_predict(path, x):
    return keras.models.load_model(path).predict(x, verbose=0)


class TestLayer:
    def test_config_round_trip(self):
        options = {"statistics": ("l2", "std"), "epsilon": 1e-3, "keepdims": True}
        options |= {"data_format": "channels_first", "output_dtype": "float32"}
        options |= {"implementation": "composite", "dtype": "mixed_float16"}
        options |= {"input_activation": "leaky_relu", "negative_slope": 0.1}
        layer = Pooling(**options, name="pool")
        copy = Pooling.from_config(layer.get_config())
        assert copy.get_config() == layer.get_config()
        assert copy.statistics == ("l2", "std")

    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    @pytest.mark.parametrize("keepdims", [False, True])
    def test_symbolic_and_computed_shapes_agree_with_the_call(
        self, x, data_format, keepdims
    ):
        layer = Pooling(data_format=data_format, keepdims=keepdims)
        y = layer(x)
        assert layer.compute_output_shape(x.shape) == tuple(y.shape)
        unknown = layer.compute_output_shape((None, None, None))
        assert [size for size in unknown if size not in (None, 1)] == []
        symbolic = layer(keras.Input(x.shape[1:]))
        assert symbolic.shape[1:] == tuple(y.shape)[1:]
        assert symbolic.dtype == y.dtype.name
        assert layer.weights == []
        assert layer.supports_jit

    def test_default_data_format_is_that_of_keras(self):
        keras.config.set_image_data_format("channels_first")
        try:
            assert Pooling().data_format == "channels_first"
        finally:
            keras.config.set_image_data_format("channels_last")
        assert Pooling().data_format == "channels_last"

    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
    def test_obeys_dtype_policies(self, x, policy):
        layer = Pooling(dtype=policy)
        assert layer(x).dtype.name == layer.compute_dtype
        if policy != "float64":
            wide = Pooling(dtype=policy, output_dtype="float32")
            assert wide(x).dtype == tf.float32
            assert wide(keras.Input((10, 6))).dtype == "float32"

    @pytest.mark.parametrize("jit_compile", ["auto", True])  # auto: not on a CPU
    @pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
    def test_training_step(self, x, jit_compile, policy):
        model, targets = small_model(Pooling(dtype=policy)), np.ones((4, 2))
        model.compile("adam", "mse", jit_compile=jit_compile)
        losses = model.fit(x, targets, epochs=5, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
        assert model.predict(x, verbose=0).shape == (4, 2)
        assert np.isfinite(model.evaluate(x, targets, verbose=0))

    def test_keras_file_loads_in_a_fresh_process(self, x, tmp_path):
        model = small_model(Pooling(("std", "max", "mean")))
        model.save(tmp_path / "model.keras")
        y = call(load_and_predict, tmp_path / "model.keras", x)
        assert_close(y, model.predict(x, verbose=0))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"statistics": ()}, "statistics must name at least one"),
            ({"statistics": "mean"}, "statistics must be a sequence"),
            ({"statistics": ("mean", "mode")}, "'mode'"),
            ({"statistics": ("max", "max")}, "must not repeat"),
            ({"epsilon": -1}, "epsilon must be finite and >= 0, got -1"),
            ({"epsilon": float("nan")}, "got nan"),
            ({"epsilon": True}, r"epsilon must be a number, got .*keepdims"),
            ({"epsilon": np.False_}, r"epsilon must be a number, got .*keepdims"),
            ({"data_format": "NWC"}, "'NWC'"),
            ({"keepdims": "yes"}, "keepdims must be a bool"),
            ({"output_dtype": "float64"}, "output_dtype must be"),
            ({"implementation": "fast"}, "'fast'"),
            ({"input_activation": "gelu"}, "must be one of .* put any other"),
            ({"negative_slope": 0}, "must be above 0 .* take input_activation='relu'"),
        ],
    )
    def test_constructor_errors(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            Pooling(**arguments)


class TestCorrectness:
    @IMPLEMENTATIONS
    @pytest.mark.parametrize("dtype", [None, "bool", "int32", "int64", "float32"])
    def test_masked_steps_do_not_count(self, x, dtype, implementation):
        """The mask is that of `Masking`, or explicit; a tokenizer's has numbers."""
        mask = np.arange(10) < np.array([[10], [4], [1], [0]])
        x = np.where(mask[..., None], x, 0).astype(np.float32)
        layer, first = Pooling(implementation=implementation), keras.layers.Masking()
        y = layer(x, mask=mask.astype(dtype)) if dtype else layer(first(x))
        assert_close(y, reference.global_stats(x, mask))
        assert layer.compute_mask(x, mask) is None

    @pytest.mark.parametrize("shape", [(), (1,)], ids=["vector", "column"])
    def test_lengths_in_a_functional_model(self, x, shape):
        model, lengths = model_with_lengths(*shape), np.array([10, 3, 1, 0], np.int32)
        x[1, 3:] = x[2, 1:] = x[3] = np.nan
        y = model.predict([x, lengths.reshape(4, *shape)], verbose=0)
        assert_close(y, reference.global_stats(x, lengths=lengths))

    def test_fit_with_an_implicit_mask_leaks_none(self, x):
        model = small_model(Pooling(), keras.layers.Masking())
        history = model.fit(x, np.ones((4, 2)), epochs=2, verbose=0).history
        assert np.isfinite(history["loss"]).all()
        assert getattr(model.outputs[0], "_keras_mask", None) is None


class Around(keras.Model):
    """A subclassed model around a layer, which passes lengths beside the mask."""

    def __init__(self, *layers):
        super().__init__()
        self.first, self.pooling = layers

    def call(self, inputs):
        return self.pooling(self.first(inputs), lengths=tf.constant([5, 3, 4]))


class TestImplicitMaskBesideLengths:
    """With two tensors Keras passes the mask of the first by another name."""

    LENGTHS = np.array([5, 3, 10, 0])

    @pytest.mark.parametrize("kind", [np.array, tf.constant, list])
    def test_called_eagerly(self, masked, kind):
        x, mask = masked
        expected = reference.global_stats(x, mask, self.LENGTHS)
        first = keras.layers.Masking()
        assert_close(Pooling()(first(x), lengths=kind(self.LENGTHS)), expected)
        model = model_with_lengths(dtype="int64", first=first)
        assert_close(model([x, self.LENGTHS]), expected)

    @IMPLEMENTATIONS
    def test_after_an_embedding_in_a_subclassed_model(self, implementation):
        tokens = np.array([[1, 2, 0, 3, 0], [0, 1, 1, 2, 2], [1, 1, 1, 0, 0]])
        embedding = keras.layers.Embedding(4, 5, mask_zero=True)
        model = Around(embedding, Pooling(implementation=implementation))
        y, x = model(tokens), keras.ops.convert_to_numpy(embedding(tokens))
        assert_close(y, reference.global_stats(x, tokens != 0, np.array([5, 3, 4])))
        lines = []
        model.summary(print_fn=lambda line, **_: lines.append(line))
        assert "(3, 15)" in "".join(lines)

    def test_an_explicit_mask_replaces_the_implicit_one(self, masked):
        every = np.ones((4, 10), bool)
        y = Pooling()(keras.layers.Masking()(masked[0]), mask=tf.constant(every))
        assert_close(y, reference.global_stats(masked[0], every))


class TestNamesThatKerasCallsBy:
    """Keras passes arguments by keyword: the names are those of its own layers."""

    @pytest.mark.parametrize("rank", [1, 2])
    @pytest.mark.parametrize(
        "method",
        ["build", "compute_output_shape", "compute_output_spec", "get_config"],
    )
    def test_are_those_of_its_own_pooling(self, method, rank):
        ours = getattr(statpool, f"GlobalStatsPooling{rank}D")
        theirs = getattr(keras.layers, f"GlobalAveragePooling{rank}D")
        wanted = inspect.getfullargspec(getattr(theirs, method))
        taken = inspect.getfullargspec(getattr(ours, method))
        assert {*wanted.args, *wanted.kwonlyargs} <= {*taken.args, *taken.kwonlyargs}


def symbolic(shape, dtype="float32"):
    return keras.KerasTensor(shape, dtype)


# Symbolic inputs that break a rule, and the words that the eager call uses for it.
UNFIT = [
    ("mask", symbolic((4, 9), "bool"), "mask must have shape"),
    ("mask", symbolic((4, 10, 6), "bool"), "mask must have shape"),
    ("mask", symbolic((4, 10), "complex64"), "mask must be bool"),
    ("lengths", symbolic((5,), "int32"), "lengths must have"),
    ("lengths", symbolic((4, 2), "int32"), "lengths must have"),
    ("lengths", symbolic((4,)), "int32 or int64, got float32"),
    ("lengths", np.array([1, 2, 3]), "lengths must have"),
    ("lengths", [1, 2, 3], "lengths must have"),
    ("inputs", symbolic((4, 10, 6), "complex64"), "x must have one of"),
]


class TestWhileAModelIsBuilt:
    @pytest.mark.parametrize(("name", "value", "words"), UNFIT)
    def test_errors_come_at_once_and_in_the_same_words(self, name, value, words):
        def zeros(value):
            is_symbolic = isinstance(value, keras.KerasTensor)
            return tf.zeros(value.shape, value.dtype) if is_symbolic else value

        arguments = {"inputs": symbolic((4, 10, 6)), name: value}
        with pytest.raises(ValueError, match=re.escape(words)):
            Pooling(autocast=False)(**arguments)
        concrete = {name: zeros(value) for name, value in arguments.items()}
        with pytest.raises(tf.errors.InvalidArgumentError, match=re.escape(words)):
            statpool.global_stats(concrete.pop("inputs"), **concrete)

    def test_an_implicit_mask_is_checked_too(self):
        x = symbolic((4, 10, 6))
        x._keras_mask = symbolic((4, 9), "bool")
        with pytest.raises(ValueError, match="mask must have shape"):
            Pooling()(x)


class TestWhatModelsBring:
    @pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "float64"])
    @pytest.mark.parametrize("dtype", ["int32", "uint8", "int64", "bool"])
    def test_integers_are_pooled_as_floats(self, dtype, policy):
        x = np.random.default_rng(0).integers(0, 2, size=(2, 5, 3)).astype(dtype)
        layer = Pooling(dtype=policy)
        y, symbol = layer(x), layer(symbolic((2, 5, 3), dtype))
        assert y.dtype.name == layer.compute_dtype == symbol.dtype
        expected = reference.global_stats(x.astype("float32"))
        np.testing.assert_allclose(tf.cast(y, tf.float32), expected, rtol=1e-2)
        if policy == "float32":
            average = keras.layers.GlobalAveragePooling1D()(x)
            np.testing.assert_allclose(y[:, :3], average, rtol=1e-6)
        images = statpool.GlobalStatsPooling2D(dtype=policy)(x[:, :, np.newaxis])
        np.testing.assert_array_equal(images, y)

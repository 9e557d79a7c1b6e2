"""The Keras layer: generic layer checks, and numbers against the reference."""

import inspect
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import reference
from tests.support.fresh_process import run


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(4, 10, 6)).astype(np.float32)


def small_model(layer, masked=False):
    inputs = keras.Input((None, 6))
    hidden = keras.layers.Masking()(inputs) if masked else inputs
    outputs = keras.layers.Dense(2)(layer(hidden))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "mse")
    return model


class TestLayer:
    def test_config_round_trip(self):
        layer = statpool.GlobalStatsPooling1D(
            statistics=("l2", "std"),
            epsilon=1e-3,
            data_format="channels_first",
            keepdims=True,
            output_dtype="float32",
            implementation="composite",
            name="pool",
            dtype="mixed_float16",
        )
        copy = statpool.GlobalStatsPooling1D.from_config(layer.get_config())
        assert copy.get_config() == layer.get_config()
        assert copy.statistics == ("l2", "std")

    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    @pytest.mark.parametrize("keepdims", [False, True])
    def test_symbolic_and_computed_shapes_agree_with_the_call(
        self, x, data_format, keepdims
    ):
        layer = statpool.GlobalStatsPooling1D(
            data_format=data_format, keepdims=keepdims
        )
        y = layer(x)
        assert layer.compute_output_shape(x.shape) == tuple(y.shape)
        unknown = layer.compute_output_shape((None, None, None))
        assert [size for size in unknown if size not in (None, 1)] == []
        symbolic = layer(keras.Input(x.shape[1:]))
        assert symbolic.shape[1:] == tuple(y.shape)[1:]
        assert symbolic.dtype == y.dtype.name

    def test_has_no_weights_and_supports_jit(self, x):
        layer = statpool.GlobalStatsPooling1D()
        layer(x)
        assert layer.weights == []
        assert layer.supports_jit

    def test_default_data_format_is_that_of_keras(self):
        keras.config.set_image_data_format("channels_first")
        try:
            assert statpool.GlobalStatsPooling1D().data_format == "channels_first"
        finally:
            keras.config.set_image_data_format("channels_last")
        assert statpool.GlobalStatsPooling1D().data_format == "channels_last"

    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
    def test_obeys_dtype_policies(self, x, policy):
        layer = statpool.GlobalStatsPooling1D(dtype=policy)
        assert layer(x).dtype.name == layer.compute_dtype
        if policy != "float64":
            wide = statpool.GlobalStatsPooling1D(dtype=policy, output_dtype="float32")
            assert wide(x).dtype == tf.float32
            assert wide(keras.Input((10, 6))).dtype == "float32"

    def test_wide_output_holds_norms_beyond_16_bits(self):
        x = np.full((1, 100, 1), 60000, np.float16)
        layer = statpool.GlobalStatsPooling1D(
            ("l2",), dtype="mixed_float16", output_dtype="float32"
        )
        np.testing.assert_allclose(layer(x), [[600000]], rtol=1e-3)

    @pytest.mark.parametrize("jit_compile", ["auto", True, False])
    @pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
    def test_training_step(self, x, jit_compile, policy):
        model = small_model(statpool.GlobalStatsPooling1D(dtype=policy))
        model.compile("adam", "mse", jit_compile=jit_compile)
        first, *_, last = model.fit(x, np.ones((4, 2)), epochs=5, verbose=0).history[
            "loss"
        ]
        assert np.isfinite(first)
        assert last < first
        assert model.predict(x, verbose=0).shape == (4, 2)
        assert np.isfinite(model.evaluate(x, np.ones((4, 2)), verbose=0))

    def test_keras_file_loads_in_a_fresh_process(self, x, tmp_path):
        model = small_model(statpool.GlobalStatsPooling1D(("std", "max", "mean")))
        model.save(tmp_path / "model.keras")
        np.save(tmp_path / "x.npy", x)
        code = (
            "import sys, keras, numpy as np, statpool; folder = sys.argv[1]; "
            "model = keras.models.load_model(folder + '/model.keras'); "
            "y = model.predict(np.load(folder + '/x.npy'), verbose=0); "
            "np.save(folder + '/y.npy', y)"
        )
        done = run(code, tmp_path)
        assert done.returncode == 0, done.stderr
        expected = model.predict(x, verbose=0)
        np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, rtol=1e-6)

    def test_saved_model_round_trip(self, x, tmp_path):
        model = small_model(statpool.GlobalStatsPooling1D(implementation="composite"))
        model.export(tmp_path / "saved", verbose=False)
        saved = tf.saved_model.load(tmp_path / "saved")
        expected = model.predict(x, verbose=0)
        np.testing.assert_allclose(saved.serve(x), expected, rtol=1e-5)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"statistics": ()}, "statistics must name at least one"),
            ({"statistics": "mean"}, "statistics must be a sequence"),
            ({"statistics": ("mean", "mode")}, "'mode'"),
            ({"statistics": ("max", "max")}, "must not repeat"),
            ({"epsilon": -1}, "epsilon must be finite and >= 0, got -1"),
            ({"epsilon": float("nan")}, "got nan"),
            ({"data_format": "NWC"}, "'NWC'"),
            ({"keepdims": "yes"}, "keepdims must be a bool"),
            ({"output_dtype": "float64"}, "output_dtype must be"),
            ({"implementation": "fast"}, "'fast'"),
        ],
    )
    def test_constructor_errors(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            statpool.GlobalStatsPooling1D(**arguments)

    def test_wrong_rank_is_refused(self):
        with pytest.raises(ValueError, match="ndim=3"):
            statpool.GlobalStatsPooling1D()(np.ones((2, 3)))


class TestCorrectness:
    def test_equals_the_layers_that_it_replaces(self, x):
        parts = (
            keras.layers.GlobalAveragePooling1D()(x),
            keras.layers.GlobalMaxPooling1D()(x),
            np.sqrt(np.sum(x**2, axis=1)),
        )
        y = statpool.GlobalStatsPooling1D()(x)
        np.testing.assert_allclose(y, np.concatenate(parts, axis=1), rtol=1e-5)

    def test_silent_channel_trains_where_the_lambda_does_not(self, x):
        x[:, :, 2] = 0

        def gradient_of(layer):
            with tf.GradientTape() as tape:
                inputs = tf.Variable(x)
                loss = tf.reduce_sum(layer(inputs))
            return tape.gradient(loss, inputs).numpy()

        norm = keras.layers.Lambda(
            lambda v: keras.ops.sqrt(keras.ops.sum(v**2, axis=1))
        )
        assert np.isnan(gradient_of(norm)).any()
        assert np.isfinite(gradient_of(statpool.GlobalStatsPooling1D())).all()

    @pytest.mark.parametrize("explicit", [False, True])
    def test_masked_steps_do_not_count(self, x, explicit):
        mask = np.arange(10) < np.array([[10], [4], [1], [0]])
        x = np.where(mask[..., None], x, 0).astype(np.float32)
        layer = statpool.GlobalStatsPooling1D()
        y = layer(x, mask=mask) if explicit else layer(keras.layers.Masking()(x))
        np.testing.assert_allclose(y, reference.global_stats(x, mask), rtol=1e-5)
        assert layer.compute_mask(x, mask) is None

    def test_lengths_in_a_functional_model(self, x):
        inputs, lengths = keras.Input((None, 6)), keras.Input((), dtype="int32")
        outputs = statpool.GlobalStatsPooling1D()(inputs, lengths=lengths)
        model = keras.Model([inputs, lengths], outputs)
        counts = np.array([10, 3, 1, 0], np.int32)
        expected = reference.global_stats(x, lengths=counts)
        y = model.predict([x, counts], verbose=0)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-7)

    def test_mask_of_an_embedding_arrives(self):
        tokens = np.array([[3, 1, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0]])
        embedding = keras.layers.Embedding(4, 5, mask_zero=True)
        model = keras.Sequential([embedding, statpool.GlobalStatsPooling1D()])
        y = model.predict(tokens, verbose=0)
        vectors = embedding(tokens).numpy()
        expected = reference.global_stats(vectors, tokens != 0)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-7)

    def test_fit_with_lengths_ignores_the_padding(self, x):
        inputs, lengths = keras.Input((None, 6)), keras.Input((), dtype="int64")
        pooled = statpool.GlobalStatsPooling1D()(inputs, lengths=lengths)
        outputs = keras.layers.Dense(1, kernel_initializer="ones")(pooled)
        counts = np.array([10, 3, 1, 0])
        losses = []
        for padding in (0, np.nan):
            model = keras.Model([inputs, lengths], outputs)
            model.set_weights([np.ones((18, 1)), np.zeros(1)])
            model.compile("sgd", "mse")
            valid = np.arange(10)[:, None] < counts[:, None, None]
            padded = np.where(valid, x, padding).astype(np.float32)
            history = model.fit([padded, counts], np.ones((4, 1)), epochs=3, verbose=0)
            losses.append(history.history["loss"])
        assert np.isfinite(losses).all()
        np.testing.assert_array_equal(*losses)

    def test_fit_with_an_implicit_mask_leaks_none(self, x):
        model = small_model(statpool.GlobalStatsPooling1D(), masked=True)
        history = model.fit(x, np.ones((4, 2)), epochs=2, verbose=0).history
        assert np.isfinite(history["loss"]).all()
        assert getattr(model.outputs[0], "_keras_mask", None) is None


class Around(keras.Model):
    """A subclassed model around a layer, which passes lengths beside the mask."""

    def __init__(self, layer, first=None, lengths=None):
        super().__init__()
        self.layer, self.first, self.lengths = layer, first, lengths

    def call(self, inputs):
        hidden = inputs if self.first is None else self.first(inputs)
        if self.lengths is None:
            return self.layer(hidden)
        return self.layer(hidden, lengths=tf.constant(self.lengths))


class TestImplicitMaskBesideLengths:
    """With two tensors Keras passes the mask of the first by another name."""

    LENGTHS = np.array([5, 3, 10, 0])

    def expected(self, x, mask, lengths=LENGTHS):
        return reference.global_stats(x, mask, lengths)

    def masked(self, x):
        x[0, 2] = x[1, 0] = x[2, 7:] = 0
        return x, (x != 0).any(-1)

    @pytest.mark.parametrize("kind", [np.array, tf.constant, list])
    def test_called_eagerly(self, x, kind):
        x, mask = self.masked(x)
        layer = statpool.GlobalStatsPooling1D()
        y = layer(keras.layers.Masking()(x), lengths=kind(self.LENGTHS))
        np.testing.assert_allclose(y, self.expected(x, mask), rtol=1e-5, atol=1e-6)

    def test_in_a_functional_model(self, x):
        x, mask = self.masked(x)
        inputs, lengths = keras.Input((None, 6)), keras.Input((), dtype="int64")
        hidden = keras.layers.Masking()(inputs)
        y = statpool.GlobalStatsPooling1D()(hidden, lengths=lengths)
        assert y.shape == (None, 18)
        got = keras.Model([inputs, lengths], y)([x, self.LENGTHS])
        np.testing.assert_allclose(got, self.expected(x, mask), rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("implementation", ["native", "composite"])
    def test_after_an_embedding_in_a_subclassed_model(self, implementation):
        tokens = np.array([[1, 2, 0, 3, 0], [0, 1, 1, 2, 2], [1, 1, 1, 0, 0]])
        embedding = keras.layers.Embedding(4, 5, mask_zero=True)
        layer = statpool.GlobalStatsPooling1D(implementation=implementation)
        y = Around(layer, embedding, [5, 3, 4])(tokens)
        x = keras.ops.convert_to_numpy(embedding(tokens))
        expected = self.expected(x, tokens != 0, np.array([5, 3, 4]))
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)

    def test_an_explicit_mask_replaces_the_implicit_one(self, x):
        x, _ = self.masked(x)
        every = np.ones((4, 10), bool)
        layer = statpool.GlobalStatsPooling1D()
        y = layer(keras.layers.Masking()(x), mask=tf.constant(every))
        np.testing.assert_allclose(
            y, reference.global_stats(x, every), rtol=1e-5, atol=1e-6
        )


class TestNamesThatKerasCallsBy:
    """Keras passes arguments by keyword: the names are those of its own layers."""

    METHODS = "build", "compute_output_shape", "compute_output_spec", "get_config"

    @pytest.mark.parametrize("rank", [1, 2])
    @pytest.mark.parametrize("method", METHODS)
    def test_are_those_of_its_own_pooling(self, method, rank):
        ours = getattr(statpool, f"GlobalStatsPooling{rank}D")
        theirs = getattr(keras.layers, f"GlobalAveragePooling{rank}D")
        taken = inspect.signature(getattr(ours, method)).parameters
        wanted = inspect.signature(getattr(theirs, method)).parameters
        names = [name for name, p in wanted.items() if p.kind != p.VAR_KEYWORD]
        given = [n for n in names if wanted[n].kind != inspect.Parameter.VAR_POSITIONAL]
        assert [name for name in given if name not in taken] == []

    @pytest.mark.parametrize("lengths", [None, [2, 3, 1, 4]])
    def test_a_subclassed_model_has_a_summary(self, x, lengths):
        model = Around(statpool.GlobalStatsPooling1D(), keras.layers.Masking(), lengths)
        model(x)
        lines = []
        model.summary(print_fn=lambda line, **_: lines.append(line))
        assert "(4, 18)" in "".join(lines)


def symbolic(shape, dtype="float32"):
    return keras.KerasTensor(shape, dtype)


SEQUENCES = symbolic((4, 10, 6))
# Symbolic inputs that break a rule, and the words that the eager call uses for it.
UNFIT = {
    "mask of another time": (
        {"mask": symbolic((4, 9), "bool")},
        "mask must have shape",
    ),
    "mask of rank 3": ({"mask": symbolic((4, 10, 6), "bool")}, "mask must have shape"),
    "complex mask": ({"mask": symbolic((4, 10), "complex64")}, "mask must be bool"),
    "too many lengths": ({"lengths": symbolic((5,), "int32")}, "lengths must have"),
    "lengths of two": ({"lengths": symbolic((4, 2), "int32")}, "lengths must have"),
    "float lengths": ({"lengths": symbolic((4,))}, "int32 or int64, got float32"),
    "constant lengths": ({"lengths": np.array([1, 2, 3])}, "lengths must have"),
    "listed lengths": ({"lengths": [1, 2, 3]}, "lengths must have"),
    "complex x": ({"inputs": symbolic((4, 10, 6), "complex64")}, "x must have one of"),
}


class TestWhileAModelIsBuilt:
    @pytest.mark.parametrize("case", UNFIT)
    def test_errors_come_at_once_and_in_the_same_words(self, case):
        arguments, words = UNFIT[case]
        layer = statpool.GlobalStatsPooling1D(autocast=False)
        with pytest.raises(ValueError, match=re.escape(words)):
            layer(**{"inputs": SEQUENCES, **arguments})
        concrete = {
            name: tf.zeros(a.shape, a.dtype) if isinstance(a, keras.KerasTensor) else a
            for name, a in {"x": SEQUENCES, **arguments}.items()
        }
        concrete["x"] = concrete.pop("inputs", concrete["x"])
        with pytest.raises(tf.errors.InvalidArgumentError, match=re.escape(words)):
            statpool.global_stats(**concrete)

    def test_unknown_sizes_are_no_error(self):
        inputs, mask = keras.Input((None, 6)), keras.Input((None,), dtype="bool")
        lengths = keras.Input((1,), dtype="int32")
        y = statpool.GlobalStatsPooling1D()(inputs, mask=mask, lengths=lengths)
        assert y.shape == (None, 18)

    def test_an_implicit_mask_is_checked_too(self):
        x = symbolic((4, 10, 6))
        x._keras_mask = symbolic((4, 9), "bool")
        with pytest.raises(ValueError, match="mask must have shape"):
            statpool.GlobalStatsPooling1D()(x)

    def test_2d_masks(self):
        layer, images = statpool.GlobalStatsPooling2D(), symbolic((4, 8, 5, 3))
        for shape in ((4, 8), (4, 8, 5), (None, None)):
            assert layer(images, mask=symbolic(shape, "bool")).shape == (4, 9)
        for shape in ((4, 5), (4, 8, 4), (4, 8, 5, 3)):
            with pytest.raises(
                ValueError, match="for every position, or for every row"
            ):
                layer(images, mask=symbolic(shape, "bool"))


class TestWhatModelsBring:
    def test_lengths_in_a_column(self, x):
        inputs, lengths = keras.Input((None, 6)), keras.Input((1,), dtype="int32")
        model = keras.Model(
            [inputs, lengths], statpool.GlobalStatsPooling1D()(inputs, lengths=lengths)
        )
        counts = np.array([[10], [3], [1], [0]], np.int32)
        expected = reference.global_stats(x, lengths=counts[:, 0])
        y = model.predict([x, counts], verbose=0)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
    @pytest.mark.parametrize("implementation", ["native", "composite"])
    def test_an_attention_mask_is_that_of_keras_pooling(self, x, dtype, implementation):
        attention = (np.arange(10) < np.array([[10], [4], [1], [7]])).astype(dtype)
        inputs, mask = keras.Input((None, 6)), keras.Input((None,), dtype=dtype)
        layer = statpool.GlobalStatsPooling1D(("mean",), implementation=implementation)
        model = keras.Model([inputs, mask], layer(inputs, mask=mask))
        expected = keras.layers.GlobalAveragePooling1D()(x, mask=attention)
        y = model.predict([x, attention], verbose=0)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "float64"])
    @pytest.mark.parametrize("dtype", ["int32", "uint8", "int64", "bool"])
    def test_integers_are_pooled_as_floats(self, dtype, policy):
        x = np.random.default_rng(0).integers(0, 2, size=(2, 5, 3)).astype(dtype)
        layer = statpool.GlobalStatsPooling1D(dtype=policy)
        y = layer(x)
        assert (
            y.dtype.name
            == layer.compute_dtype
            == layer(symbolic((2, 5, 3), dtype)).dtype
        )
        expected = reference.global_stats(x.astype("float32"))
        np.testing.assert_allclose(tf.cast(y, tf.float32), expected, rtol=1e-2)
        if policy == "float32":
            average = keras.layers.GlobalAveragePooling1D()(x)
            np.testing.assert_allclose(y[:, :3], average, rtol=1e-6)

    def test_integer_images(self):
        x = np.arange(2 * 4 * 5 * 3).reshape(2, 4, 5, 3).astype("uint8")
        y = statpool.GlobalStatsPooling2D(("max",))(x)
        np.testing.assert_array_equal(y, x.max(axis=(1, 2)))

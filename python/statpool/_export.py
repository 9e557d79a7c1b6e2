"""Models for places where nobody knows statpool, or where its library is loaded."""

from statpool import _native, ops


def export(
    model, path, format="tf_saved_model", *, implementation="composite", **options
) -> None:
    """Exports a Keras model as `model.export` does; the model stays as it was.

    Every statpool layer takes the composite in what is written, whatever its own
    `implementation` is. So TensorFlow Serving, LiteRT, ONNX Runtime and others load the
    result without statpool.

    Args:
      model: A built Keras model.
      path: Where to write it.
      format: As `model.export` takes it, such as "tf_saved_model", "onnx" or "litert".
      implementation: "composite", or "native" for a SavedModel with the op, which loads
        where its library is loaded; what that takes is printed.
      **options: Further arguments of `model.export`.

    Raises:
      ValueError: if no such file can hold the op, or `implementation` names no form.
      statpool.NativeLibraryError: with "native", if the op can't run here.
    """
    if implementation not in ("composite", "native"):
        raise ValueError(
            f"implementation must be 'composite' or 'native', got {implementation!r}; "
            "the first loads everywhere, the second where the op's library is loaded"
        )
    is_native = implementation == "native"
    if is_native and format != "tf_saved_model":
        raise ValueError(
            "format must be 'tf_saved_model' for a model with the op, got "
            f"{format!r}; export with implementation='composite'"
        )
    with ops.force_implementation(implementation):
        model.export(path, format=format, **options)
    if is_native and options.get("verbose", True):
        print(
            "It loads where the op library is loaded before it, here "
            f"{_native.library_path()}: by statpool.load_library(), by "
            "tf.load_op_library or by TF_LoadLibrary."
        )

"""Models for places where nobody knows statpool."""

from statpool import ops


def export(model, path, format="tf_saved_model", **options) -> None:
    """Exports a Keras model as `model.export` does, with stock operations alone.

    Every statpool layer takes the composite in what is written, whatever its
    `implementation` is; the model stays as it was. So TensorFlow Serving, LiteRT and
    others load the result without statpool.

    Args:
      model: A built Keras model.
      path: Where to write it.
      format: As `model.export` takes it, such as "tf_saved_model", "onnx" or "litert".
      **options: Further arguments of `model.export`.
    """
    with ops.stock_operations_only():
        model.export(path, format=format, **options)

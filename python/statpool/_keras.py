"""The Keras that the layers are made for: that of `tf.keras`, chosen once a process."""

import os

_IS_LEGACY = os.environ.get("TF_USE_LEGACY_KERAS") in ("1", "true", "True")
NAME = "tf_keras" if _IS_LEGACY else "keras"

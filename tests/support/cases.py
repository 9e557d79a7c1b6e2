"""Inputs for the contract, each described by a line and the same in every run."""

import dataclasses
import functools

import ml_dtypes
import numpy as np

from tests.support.exact import STATISTICS

DTYPES = ("float16", "bfloat16", "float32", "float64")
FORMATS = ("channels_last", "channels_first")

# Around the widths of vectors (4 to 16 lanes) and tiles, and of blocks of time.
CHANNELS = (1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 511, 512, 513)
# In an order that keeps the longest from the widest.
TIMES = (*range(1, 10), 257, 63, 64, 65, 15, 16, 17)

# Around the widest tile that is transposed and its last steps. There, rows rounded up
# to whole vectors fill their buffer.
TRANSPOSED = ((50, 33), (63, 47), (64, 48), (65, 49), (130, 96), (513, 48))
# B, T, C of many tiny examples: what the CPU's kernels pack, and what they just don't.
TINY = (
    (65, 1, 1), (64, 2, 1), (100, 3, 1), (97, 1, 2), (70, 2, 2), (43, 3, 2),
    (50, 1, 3), (43, 2, 3), (99, 3, 3), (33, 20, 1), (9, 17, 4), (21, 2, 8), (9, 1, 17),
    (33, 63, 1), (20, 64, 1),
)  # fmt: skip
LARGE = ((65, 512),)  # several blocks of channels, and of time
INTERPRETED_SIZE = 50_000  # elements, which take an interpreter a second


@dataclasses.dataclass(frozen=True)
class Case:
    """One input `[B, T, C]` and how it is padded.

    Attributes:
      batch: B.
      time: T.
      channels: C.
      dtype: Name of the dtype of x.
      values: What x holds, a name in `VALUES`.
      padding: "none", "mask", "lengths" or "both".
      epsilon: As in the contract.
      data_format: As in the contract; x comes in that layout.
      input_activation: As in the contract.
      seed: Of the random numbers.
    """

    batch: int
    time: int
    channels: int
    dtype: str = "float32"
    values: str = "normal"
    padding: str = "none"
    epsilon: float = 1e-12
    data_format: str = "channels_last"
    input_activation: str | None = None
    seed: int = 0

    def x(self):
        """The input in its layout."""
        return to_layout(_build(self)[0], self.data_format)

    def mask(self):
        return _build(self)[1] if self.padding in ("mask", "both") else None

    def lengths(self):
        return _build(self)[2] if self.padding in ("lengths", "both") else None

    def valid(self):
        """Which steps count, `[B, T]`."""
        return valid_steps(self.batch, self.time, self.mask(), self.lengths())

    def upstream(self, statistics=STATISTICS):
        """Random numbers in the shape `[B, S * C]` of the output."""
        random = np.random.default_rng(self.seed + 1)
        size = (self.batch, len(statistics) * self.channels)
        return random.normal(size=size).astype(numpy_dtype(self.dtype))

    def options(self, statistics=STATISTICS):
        return {
            "statistics": statistics,
            "epsilon": self.epsilon,
            "data_format": self.data_format,
            "input_activation": self.input_activation,
        }

    def activated(self):
        """The activation of the input, `[B, T, C]`."""
        return activated(to_layout(self.x(), self.data_format), self.input_activation)


def bands(dtype, data_format):
    """Cases whose sizes surround the code paths, with every kind of padding in turn."""
    sizes = [(TIMES[i % len(TIMES)], c) for i, c in enumerate(CHANNELS)]
    sizes += [(t, CHANNELS[(5 * i + 3) % 14]) for i, t in enumerate(TIMES)]
    sizes += TRANSPOSED + LARGE
    paddings = ("none", "mask", "lengths", "both", "none")
    activations = (None, None, "relu", None, None, "leaky_relu", None)
    cases = [
        Case(
            *(2, t, c, dtype),
            padding=paddings[i % 5],
            data_format=data_format,
            input_activation=activations[i % 7],
            seed=i,
        )
        for i, (t, c) in enumerate(sizes)
    ]
    for i, shape in enumerate(TINY):
        values, padding = ("normal", "relu")[i % 2], ("none", "both")[i % 4 == 3]
        cases += [Case(*shape, dtype, values, padding, 1e-12, data_format, seed=i)]
    return cases


def few(dtype, data_format):
    """What stands for `bands` where a shape costs much or others have tested it."""
    return [
        Case(2, 9, 5, dtype, padding="both", data_format=data_format),
        Case(3, 65, 17, dtype, data_format=data_format),
    ]


def cases_for(implementation, dtype, data_format="channels_last"):
    if implementation.compiles_each_shape:  # XLA keeps 10 MB for each program
        return [few(dtype, data_format)[FORMATS.index(data_format)]]
    if implementation.borrows_kernels:
        return few(dtype, data_format)
    cases = bands(dtype, data_format)
    if not implementation.is_interpreted:
        return cases
    return [c for c in cases if c.batch * c.time * c.channels < INTERPRETED_SIZE]


def numpy_dtype(name):
    return np.dtype(getattr(ml_dtypes, name) if name == "bfloat16" else name)


def to_layout(x, data_format):
    """`[B, T, C]` in the data format, or back."""
    if data_format == "channels_last":
        return x
    return np.ascontiguousarray(np.swapaxes(x, 1, 2))


def activated(x, name, negative_slope=0.2):
    """The activation of x, in its dtype."""
    if name is None:
        return x
    below = np.zeros_like(x) if name == "relu" else x * x.dtype.type(negative_slope)
    with np.errstate(invalid="ignore"):  # NaN
        return np.where(x < 0, below, x)


def activation_slope(x, name, negative_slope=0.2):
    """Its derivative by x, in float64; at 0 that of what is below."""
    below = {None: 1, "relu": 0, "leaky_relu": negative_slope}[name]
    with np.errstate(invalid="ignore"):
        return np.where(x > 0, 1.0, np.float64(x.dtype.type(below)))


def valid_steps(batch, time, mask=None, lengths=None):
    valid = np.ones((batch, time), bool)
    if mask is not None:
        valid &= mask
    if lengths is not None:
        valid &= np.arange(time) < lengths[:, np.newaxis]
    return valid


def _normal(random, shape):
    return random.normal(size=shape)


def _relu(random, shape):
    """Ties at 0, as a dead or half-dead channel has them; channel 0 is dead."""
    x = np.maximum(random.normal(size=shape), 0.0)
    x[:, :, :1] = 0.0
    return x


def _ties(random, shape):
    return random.integers(-2, 3, size=shape).astype(float)


def _negative(random, shape):
    return -0.5 - random.random(size=shape)


def _separated(random, shape):
    """Different values, far enough apart in time for finite differences."""
    order = np.argsort(random.random(size=shape), axis=1)
    return (order - 0.4 * shape[1]) / 4 + 0.05 * random.random(size=shape)


def _offset(random, shape):
    """Small deviations on a large mean, what the naive variance cancels away."""
    return 1e4 + 0.01 * random.normal(size=shape)


VALUES = {
    "normal": _normal,
    "relu": _relu,
    "ties": _ties,
    "negative": _negative,
    "separated": _separated,
    "offset": _offset,
    "constant": lambda random, shape: np.full(shape, 0.1),
    "1e30": lambda random, shape: 1e30 * random.normal(size=shape),
    "1e-30": lambda random, shape: 1e-30 * random.normal(size=shape),
    "1e200": lambda random, shape: 1e200 * random.normal(size=shape),
    "1e-200": lambda random, shape: 1e-200 * random.normal(size=shape),
}


def _largest(random, shape, info):
    """Up to nine tenths of the largest number, of either sign."""
    return 0.9 * float(info.max) * random.uniform(-1, 1, size=shape)


def _denormal(random, shape, info):
    """Small multiples of the smallest number."""
    least = float(info.smallest_subnormal)
    return least * random.integers(-9, 10, size=shape)


def _steep(random, shape, info):
    """A large mean, and deviations of which the dtype can only just tell."""
    return 1000 * (1 + 3 * float(info.eps) * random.normal(size=shape))


def _jump(random, shape, info):
    """The same after a first step far away."""
    x = _steep(random, shape, info)
    x[:, :1] = -7
    return x


# What depends on the dtype.
LIMITS = {"largest": _largest, "denormal": _denormal, "steep": _steep, "jump": _jump}


@functools.lru_cache(maxsize=64)
def _build(case):
    random = np.random.default_rng(case.seed)
    shape = (case.batch, case.time, case.channels)
    dtype = numpy_dtype(case.dtype)
    if case.values in LIMITS:
        x = LIMITS[case.values](random, shape, ml_dtypes.finfo(dtype)).astype(dtype)
    else:
        x = VALUES[case.values](random, shape).astype(dtype)
    mask = random.random(size=shape[:2]) < 0.7
    lengths = random.integers(case.time // 2, case.time, size=case.batch, endpoint=True)
    for array in (x, mask, lengths):
        array.flags.writeable = False  # the cache hands it to every test
    return x, mask, lengths

"""Sizes of the features and of the network, with the defaults of the question."""

import dataclasses
import math

STRATEGIES = ("none", "mirrored", "multi-worker")
POOLINGS = ("lambda", "mean-max", "composite", "statpool")


@dataclasses.dataclass(frozen=True)
class FeatureSettings:
    """How audio becomes features; saved with the model, since `predict` needs it too.

    Attributes:
        frames: Time steps per clip; longer clips are cut, shorter ones padded.
        mel_bands: Mel bands per time step.
        sample_rate: All audio is resampled to this rate, in Hz.
        hop: Samples from one time step to the next.
        window: Samples that one time step looks at.
    """

    frames: int = 2580
    mel_bands: int = 128
    sample_rate: int = 16000
    hop: int = 80
    window: int = 1024

    @property
    def samples(self) -> int:
        """Samples that fill all frames."""
        return self.frames * self.hop

    @property
    def seconds(self) -> float:
        """Seconds that fill all frames."""
        return self.samples / self.sample_rate


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Sizes of the network.

    Attributes:
        filters: Filters of each convolution.
        kernel_size: Time steps that a filter spans.
        pool: Factor of the max pooling after each convolution.
        dense: Units of each dense layer.
        dropout: Share of the units left out after each dense layer.
    """

    filters: tuple[int, ...] = (10, 10, 20)
    kernel_size: int = 4
    pool: tuple[int, ...] = (4, 4, 2)
    dense: tuple[int, ...] = (100, 100)
    dropout: float = 0.5

    @property
    def fewest_frames(self) -> int:
        """Frames of which the max poolings leave one."""
        return math.prod(self.pool)

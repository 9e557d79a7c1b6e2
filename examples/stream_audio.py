"""Statistics of sound while it comes, and of a recording that memory can't hold.

    python examples/stream_audio.py live [FILE]   pieces of 10 ms, as of a microphone
    python examples/stream_audio.py hour          an hour of features, piece by piece

Without a file, a recording is made up. In both a state takes the place of the samples
that came before: the statistics after the last piece are those of all at once.
"""

import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

import statpool
from statpool import streaming

STATISTICS = ("mean", "max", "std")
BINS = 40  # of a piece's spectrum
HOUR, PIECE, CHANNELS = 360_000, 3000, 80  # steps of 10 ms, those of a piece, features


def spectra(path):
    """Yields the log spectrum `[1, 1, BINS]` of each 10 ms of a file."""
    size = soundfile.info(path).samplerate // 100
    for block in soundfile.blocks(path, blocksize=size, always_2d=True, fill_value=0):
        power = np.abs(np.fft.rfft(block.mean(axis=1)))[:BINS] ** 2
        yield np.log(power + 1e-6).astype(np.float32)[None, None]


def live(path):
    """Pools a file piece by piece; returns the last statistics and those of all."""
    pieces, state = [], streaming.init(1, BINS)
    for piece in spectra(path):
        state = streaming.update(state, piece)
        y = streaming.result(state, STATISTICS)
        pieces.append(piece)
        if len(pieces) % 100 == 0:
            mean, largest, std = np.split(y.numpy()[0], 3)
            print(
                f"{len(pieces) / 100:4.0f} s: mean {mean.mean():6.2f}, "
                f"max {largest.max():6.2f}, std {std.mean():5.2f}"
            )
    whole = statpool.global_stats(np.concatenate(pieces, axis=1), statistics=STATISTICS)
    print(f"{len(pieces)} pieces: off by {np.abs(y - whole).max():.1e} of all at once")
    return y.numpy(), whole.numpy()


def hour():
    """Pools an hour of features; returns its statistics and what memory grew by."""
    random = np.random.default_rng(0)
    state, before = streaming.init(1, CHANNELS), None
    for _ in range(HOUR // PIECE):
        piece = random.normal(2, 1, size=(1, PIECE, CHANNELS)).astype(np.float32)
        state = streaming.update(state, piece)
        before = before or _peak_bytes()  # with all that a first piece brings
    y = streaming.result(state, STATISTICS).numpy()
    grown = _peak_bytes() - before
    print(
        f"{HOUR * CHANNELS * 4 >> 20} MiB in pieces of {piece.nbytes / 2**20:.1f} MiB: "
        f"{grown / 2**20:.1f} MiB more than the first took"
    )
    return y, grown


def _peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def made_up(path):
    """Writes three seconds of a falling tone that fades."""
    time = np.arange(3 * 16000) / 16000
    sound = np.exp(-time) * np.sin(2 * np.pi * (900 * time - 100 * time**2))
    soundfile.write(path, 0.5 * sound, 16000)
    return path


def main(mode="live", path=None):
    """Runs one of the two."""
    if mode == "hour":
        return hour()
    with tempfile.TemporaryDirectory() as folder:
        return live(path or made_up(str(Path(folder) / "tone.wav")))


if __name__ == "__main__":
    main(*sys.argv[1:])

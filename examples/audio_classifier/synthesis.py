"""Made-up recordings of eight instruments, for a demo without a download.

A recording is a melody of notes and rests under recording noise. Pitch range, tempo,
loudness and noise are drawn alike for all instruments, so that only what makes an
instrument tells it apart: its partials, how they swell and fade, and its own noise.
"""

import dataclasses

import numpy as np

SAMPLE_RATE = 16000
SECONDS = (4.0, 12.0)
NOISE_DB = (-70.0, -35.0)
MIDI_PITCH = (48, 74)


@dataclasses.dataclass(frozen=True)
class Instrument:
    """What makes the sound of one instrument.

    Attributes:
        ratios: Frequency of each partial as a multiple of the pitch.
        rolloff: Partial number n has gain n ** -rolloff.
        attack: Seconds until a note is at its loudest.
        decay: Seconds in which a note fades by 1/e, infinite for a held note.
        damping: How much faster each further partial fades.
        vibrato: Depth of the vibrato as a share of the pitch.
        breath: Loudness of bow or breath noise while the note sounds.
        strike: Loudness of the burst of noise that starts a note.
    """

    ratios: tuple[float, ...]
    rolloff: float
    attack: float
    decay: float = np.inf
    damping: float = 0.0
    vibrato: float = 0.0
    breath: float = 0.0
    strike: float = 0.0


def _harmonics(count: int, step: int = 1) -> tuple[float, ...]:
    return tuple(float(n) for n in range(1, count * step + 1, step))


# Partials, rolloff, attack, decay, damping, then vibrato, breath and strike.
BELL = (0.5, 1.0, 1.19, 1.5, 2.0, 2.74, 3.76, 5.4)
DRUM = (0.25, 0.4, 0.53, 0.57)
ORGAN = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
INSTRUMENTS = {
    "bell": Instrument(BELL, 0.6, 0.004, 0.9, 0.15, strike=0.2),
    "clarinet": Instrument(_harmonics(8, 2), 1.4, 0.05, breath=0.01),
    "drum": Instrument(DRUM, 0.5, 0.003, 0.12, 0.3, strike=1.0),
    "flute": Instrument(_harmonics(4), 1.8, 0.09, vibrato=0.006, breath=0.08),
    "guitar": Instrument(_harmonics(14), 1.0, 0.005, 0.5, 0.4, strike=0.2),
    "organ": Instrument(ORGAN, 0.5, 0.02),
    "trumpet": Instrument(_harmonics(16), 0.5, 0.04, breath=0.01),
    "violin": Instrument(_harmonics(14), 0.8, 0.12, vibrato=0.016, breath=0.06),
}


def synthesise(name: str, seed: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """Returns float32 samples of an instrument, fixed by the seed, and their rate."""
    rng = np.random.default_rng(seed)
    instrument = _one_specimen(INSTRUMENTS[name], rng)
    recording = np.zeros(int(rng.uniform(*SECONDS) * SAMPLE_RATE), np.float32)
    tempo = rng.uniform(0.25, 0.9)
    start = int(rng.uniform(0, 0.6) * SAMPLE_RATE)
    while start < len(recording):
        seconds = tempo * rng.choice((0.5, 1.0, 1.0, 2.0))
        note = rng.uniform(0.4, 1.0) * _note(instrument, seconds, rng)
        stop = min(start + len(note), len(recording))
        recording[start:stop] += note[: stop - start]
        rest = tempo * rng.choice((0.0, 0.0, 0.5, 2.0))
        start += int((seconds + rest) * SAMPLE_RATE)
    noise = 10 ** (rng.uniform(*NOISE_DB) / 20) * np.abs(recording).max()
    recording += noise * _coloured_noise(len(recording), rng)
    return recording, SAMPLE_RATE


def _one_specimen(kind: Instrument, rng: np.random.Generator) -> Instrument:
    """No two guitars are the same: varies every property by up to a third."""
    varied = {
        field.name: getattr(kind, field.name) * 1.33 ** rng.uniform(-1, 1)
        for field in dataclasses.fields(kind)
        if field.name != "ratios"
    }
    return dataclasses.replace(kind, **varied)


def _note(
    instrument: Instrument, seconds: float, rng: np.random.Generator
) -> np.ndarray:
    """One note, which rings on for a moment after its time."""
    time = np.arange(int((seconds + 0.1) * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 440 * 2 ** ((rng.uniform(*MIDI_PITCH) - 69) / 12)
    swell = np.minimum(time / instrument.attack, 1)
    release = np.clip((seconds + 0.1 - time) / 0.08, 0, 1)
    sound = _partials(instrument, pitch, time, rng)
    sound += instrument.breath * rng.standard_normal(len(time))
    sound *= np.exp(-time / instrument.decay)
    burst = instrument.strike * np.exp(-time / 0.02)
    sound += burst * rng.standard_normal(len(time))
    return (sound * swell * release).astype(np.float32)


def _partials(
    instrument: Instrument, pitch: float, time: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    rate = rng.uniform(4.5, 6.5)
    wobble = instrument.vibrato / rate * np.sin(2 * np.pi * rate * time)
    phase = 2 * np.pi * pitch * (time + wobble / (2 * np.pi))
    sound = np.zeros(len(time))
    for number, ratio in enumerate(instrument.ratios, start=1):
        if ratio * pitch > 0.45 * SAMPLE_RATE:
            continue
        gain = number**-instrument.rolloff * rng.uniform(0.7, 1.3)
        fading = np.exp(-time * instrument.damping * (number - 1) / instrument.decay)
        sound += gain * fading * np.sin(ratio * phase + rng.uniform(0, 2 * np.pi))
    return sound / len(instrument.ratios) ** 0.5


def _coloured_noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """Noise between white and a dull rumble, of standard deviation 1."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum /= np.arange(1, len(spectrum) + 1) ** rng.uniform(0, 0.5)
    noise = np.fft.irfft(spectrum, count)
    return (noise / noise.std()).astype(np.float32)

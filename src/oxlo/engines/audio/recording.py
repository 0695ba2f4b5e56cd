"""A recording that somebody sent: opened safely, measured, and decoded a passage at a time."""

import contextlib
from collections.abc import Iterator
from typing import BinaryIO

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer

from oxlo.engines.audio import refusals
from oxlo.engines.audio.header import promised
from oxlo.engines.audio.passages import Passage, Passages
from oxlo.engines.audio.resampling import Resampler

#: Containers that are opened. FFmpeg knows many more, some of which are lists of addresses.
_CONTAINERS = "wav,mp3,mov,matroska,ogg,flac,aac,mpeg"
#: Decoders that strangers' bytes may reach.
_CODECS = (
    "aac,alac,flac,mp2,mp2float,mp3,mp3float,opus,libopus,vorbis,"
    "pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_f32le,pcm_f64le,pcm_u8,"
    "pcm_mulaw,pcm_alaw,adpcm_ima_wav,adpcm_ms"
)
_OPTIONS = {"format_whitelist": _CONTAINERS, "codec_whitelist": _CODECS}
_SAMPLE_RATES = range(4_000, 384_001)
#: Encoders pad what they write: this much over a limit is no longer recording, seconds.
_PADDING = 1.0
_SHORTEST = 0.1


class Recording:
    """Audio in a file. Raises BadRequest, also while it is decoded."""

    def __init__(self, file: BinaryIO, longest: float | None) -> None:
        """Measure it; `longest` is what is allowed, in seconds."""
        self._file = file
        self._longest = longest
        #: Its length, as its packets say.
        self.seconds = self._measured()

    def _measured(self) -> float:
        with self._opened() as (container, stream):
            told = promised(container, self._file)
            self._check_length(told or 0.0)
            found = self._counted(container, stream)
        if told is not None and told - found > max(1.0, told / 50):
            raise refusals.cut_off(told, found)
        if found < _SHORTEST:
            raise refusals.too_short(found, _SHORTEST)
        return found

    def _counted(self, container: InputContainer, stream: AudioStream) -> float:
        """Seconds by the packets' own times; nothing is decoded, so hours take a moment."""
        first, last = None, 0.0
        with refusals.of_ffmpeg():
            for packet in container.demux(stream):
                if packet.pts is None or packet.time_base is None:
                    continue
                begin = float(packet.pts * packet.time_base)
                first = begin if first is None else min(first, begin)
                last = max(last, begin + float((packet.duration or 0) * packet.time_base))
                self._check_length(last - first)
        return last - (first or 0.0)

    def _check_length(self, seconds: float) -> None:
        if self._longest is not None and seconds > self._longest + _PADDING:
            raise refusals.too_long(seconds, self._longest)

    def passages(self) -> Iterator[Passage]:
        """The audio, decoded as it is asked for: hours take no more memory than ten minutes."""
        cutting = Passages()
        for samples in self._samples():
            yield from cutting.add(samples)
            self._check_length(cutting.seconds)  # times in a file may lie
        if not cutting.seconds:
            raise refusals.unreadable()
        yield from cutting.rest()

    def _samples(self) -> Iterator[np.ndarray]:
        resampler = Resampler()
        with self._opened() as (container, stream):
            for packet in container.demux(stream):
                # A broken packet is a click in a recording, not its end.
                with contextlib.suppress(av.InvalidDataError):
                    for frame in packet.decode():
                        yield from resampler.add(frame)
            yield from resampler.rest()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, AudioStream]]:
        self._file.seek(0)
        with refusals.of_ffmpeg():
            container = av.open(self._file, "r", metadata_errors="ignore", options=_OPTIONS)
        with container:
            if not container.streams.audio:
                raise refusals.silent_film()
            stream = container.streams.audio[0]
            _check(stream)
            yield container, stream


def _check(stream: AudioStream) -> None:
    """Refuse what no decoder here is for."""
    if stream.codec_context is None or stream.codec_context.name not in _CODECS.split(","):
        raise refusals.unreadable()
    if stream.sample_rate not in _SAMPLE_RATES:
        raise refusals.strange_rate(stream.sample_rate)

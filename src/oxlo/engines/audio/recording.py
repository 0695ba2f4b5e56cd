"""An uploaded recording: opened safely, measured, and decoded chunk by chunk."""

import contextlib
from collections.abc import Iterator
from typing import BinaryIO

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer

from oxlo.engines.audio import errors
from oxlo.engines.audio.chunks import Chunk, Chunker
from oxlo.engines.audio.header import declared
from oxlo.engines.audio.resampling import Resampler

#: Allowed containers. FFmpeg reads many more, among them playlists that make it fetch URLs.
_CONTAINERS = "wav,mp3,mov,matroska,ogg,flac,aac,mpeg"
#: Allowed decoders: uploads reach no others.
_CODECS = (
    "aac,alac,flac,mp2,mp2float,mp3,mp3float,opus,libopus,vorbis,"
    "pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_f32le,pcm_f64le,pcm_u8,"
    "pcm_mulaw,pcm_alaw,adpcm_ima_wav,adpcm_ms"
)
_OPTIONS = {"format_whitelist": _CONTAINERS, "codec_whitelist": _CODECS}
_SAMPLE_RATES = range(4_000, 384_001)
#: Encoders add padding: this much over the limit is tolerated, seconds.
_PADDING = 1.0
_SHORTEST = 0.1


class Recording:
    """An audio file. Its methods raise BadRequest, also while decoding."""

    def __init__(self, file: BinaryIO, longest: float | None) -> None:
        """Measure the file; `longest` is the limit in seconds."""
        self._file = file
        self._longest = longest
        #: Duration by the packets' timestamps.
        self.seconds = self._measured()

    def _measured(self) -> float:
        with self._opened() as (container, stream):
            header = declared(container, self._file)
            self._check_length(header or 0.0)
            found = self._counted(container, stream)
        if header is not None and header - found > max(1.0, header / 50):
            raise errors.truncated(header, found)
        if found < _SHORTEST:
            raise errors.too_short(found, _SHORTEST)
        return found

    def _counted(self, container: InputContainer, stream: AudioStream) -> float:
        """Duration by the packets' timestamps: nothing is decoded, so that long files are fast."""
        first, last = None, 0.0
        with errors.from_ffmpeg():
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
            raise errors.too_long(seconds, self._longest)

    def chunks(self) -> Iterator[Chunk]:
        """Decode lazily: hours of audio take no more memory than one chunk."""
        chunker = Chunker()
        for samples in self._samples():
            yield from chunker.add(samples)
            self._check_length(chunker.seconds)  # timestamps may be wrong
        if not chunker.seconds:
            raise errors.unreadable()
        yield from chunker.finish()

    def _samples(self) -> Iterator[np.ndarray]:
        resampler = Resampler()
        with self._opened() as (container, stream):
            for packet in container.demux(stream):
                # A damaged packet is a click in the recording, not its end.
                with contextlib.suppress(av.InvalidDataError):
                    for frame in packet.decode():
                        yield from resampler.add(frame)
            yield from resampler.finish()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, AudioStream]]:
        self._file.seek(0)
        with errors.from_ffmpeg():
            container = av.open(self._file, "r", metadata_errors="ignore", options=_OPTIONS)
        with container:
            if not container.streams.audio:
                raise errors.no_audio_track()
            stream = container.streams.audio[0]
            _check(stream)
            yield container, stream


def _check(stream: AudioStream) -> None:
    """Refuse codecs and sample rates that are not supported."""
    if stream.codec_context is None or stream.codec_context.name not in _CODECS.split(","):
        raise errors.unreadable()
    if stream.sample_rate not in _SAMPLE_RATES:
        raise errors.unsupported_rate(stream.sample_rate)

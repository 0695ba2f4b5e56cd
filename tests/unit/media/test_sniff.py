"""What files are, by their first bytes."""

import io

import pytest

from oxlo.media import sniff

av = pytest.importorskip("av")

#: Container, codec, and what the file is called then.
CODED = [
    ("wav", "pcm_s16le", "audio/wav"),
    ("mp3", "mp3", "audio/mpeg"),
    ("flac", "flac", "audio/flac"),
    ("ogg", "libopus", "audio/ogg"),
    ("webm", "libopus", "audio/webm"),
    ("mp4", "aac", "audio/mp4"),
    ("ipod", "aac", "audio/mp4"),
    ("adts", "aac", "audio/mpeg"),
]


def coded(form: str, codec: str) -> bytes:
    """A second of silence."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream = container.add_stream(codec, rate=48_000)
        frame = av.AudioFrame(format="s16", layout="mono", samples=48_000)
        frame.sample_rate = 48_000
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return out.getvalue()


@pytest.mark.parametrize(("form", "codec", "kind"), CODED)
def test_recordings(form: str, codec: str, kind: str) -> None:
    """Each container that OpenAI's API takes."""
    head = coded(form, codec)[: sniff.HEAD]
    assert (sniff.recording(head), sniff.picture(head)) == (kind, "")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "HEIC"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x20ftypM4A \0\0\0\0", ""),
        (b"BM\x36\0\0\0", "BMP"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"<svg xmlns=", "SVG"),
        (b"a text file", ""),
        (b"", ""),
    ],
)
def test_pictures_of_other_kinds(head: bytes, kind: str) -> None:
    """They are named, so that nobody looks for damage in a file that is whole."""
    assert sniff.other_picture(head) == kind
    assert sniff.picture(head) == ""


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (b"\xff\xf3\x40\xc0", "audio/mpeg"),
        (b"\xff\xfe\x00\x00", ""),
        (b"\xff\xff\xff\xff", ""),
        (b"\xff\xd8\xff\xe0", ""),
        (b"RIFF\0\0\0\0AVI ", ""),
        (b"a text file", ""),
        (b"", ""),
    ],
)
def test_frames_without_a_container(head: bytes, kind: str) -> None:
    """MP3 may begin with a frame; other bytes that begin alike are none."""
    assert sniff.recording(head) == kind

"""Detecting media types by content, because names and declared types may be wrong."""

#: Number of bytes that are needed.
HEAD = 64

_PICTURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
#: Kinds that people send, and that are not taken.
_OTHERS = {
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"<svg": "SVG",
    b"%PDF": "PDF",
    b"\0\0\1\0": "ICO",
}
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"), "HEIC"
)
_RECORDINGS = {
    b"ID3": "audio/mpeg",
    b"fLaC": "audio/flac",
    b"OggS": "audio/ogg",
    b"\x1aE\xdf\xa3": "audio/webm",
}
PICTURES = "PNG, JPEG, GIF or WebP"
RECORDINGS = "wav, mp3, m4a, mp4, webm, ogg or flac"


def picture(head: bytes) -> str:
    """The media type of an image; "" for anything else."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return _by_magic(head, _PICTURES)


def other_picture(head: bytes) -> str:
    """The name of a kind that is not taken, such as HEIC of telephones; "" for anything else."""
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "")
    return _by_magic(head, _OTHERS)


def recording(head: bytes) -> str:
    """The media type of audio or video; "" for anything else."""
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[4:8] == b"ftyp":
        return "audio/mp4"
    if len(head) > 2 and head[0] == 0xFF and _is_mpeg(head[1], head[2]):
        return "audio/mpeg"
    return _by_magic(head, _RECORDINGS)


def _by_magic(head: bytes, known: dict[bytes, str]) -> str:
    return next((kind for magic, kind in known.items() if head.startswith(magic)), "")


def _is_mpeg(second: int, third: int) -> bool:
    """Whether this is a frame header of MP3, MP2 or AAC: sync bits, and no reserved values."""
    if second & 0xF6 == 0xF0:  # ADTS
        return True
    version, layer = second >> 3 & 3, second >> 1 & 3
    bitrate, rate = third >> 4, third >> 2 & 3
    is_frame = second & 0xE0 == 0xE0 and layer in (1, 2)
    return is_frame and version != 1 and bitrate != 15 and rate != 3

"""Reading a GGUF file's metadata, to size an engine before it starts."""

import struct
from pathlib import Path
from typing import Any, BinaryIO

from oxlo.engines.base import CannotLaunch

_MAGIC = b"GGUF"
_STRING, _ARRAY = 8, 9
#: Bytes of a value; a longer one is that of a damaged file.
_LONGEST = 1 << 28
#: struct formats of the fixed-size value types, by their number in the format.
_SCALARS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip


def read(path: Path) -> dict[str, Any]:
    """The metadata without its arrays. Raises CannotLaunch if this is not a GGUF file."""
    try:
        with path.open("rb") as file:
            return _metadata(file, path)
    except FileNotFoundError:
        raise CannotLaunch(f"the weights file {path} is missing") from None
    except (struct.error, UnicodeDecodeError, KeyError):
        raise CannotLaunch(f"{path} is a damaged GGUF file: fetch it again") from None


def bytes_per_token(head: dict[str, Any]) -> int:
    """KV cache size in bytes per token, at 16 bits; 0 if the metadata does not tell."""
    kind = head.get("general.architecture")
    layers = head.get(f"{kind}.block_count", 0)
    heads = head.get(f"{kind}.attention.head_count", 0)
    if not isinstance(heads, int) or not heads:
        return 0
    width = head.get(f"{kind}.embedding_length", 0) // heads
    keys = head.get(f"{kind}.attention.key_length", width)
    values = head.get(f"{kind}.attention.value_length", width)
    kv_heads = head.get(f"{kind}.attention.head_count_kv", heads)
    return int(layers * kv_heads * (keys + values) * 2)


def is_projector(head: dict[str, Any]) -> bool:
    """Whether the file is a vision projector (mmproj) rather than a language model."""
    return bool(head.get("general.architecture") == "clip")


def _metadata(file: BinaryIO, path: Path) -> dict[str, Any]:
    if file.read(4) != _MAGIC:
        raise CannotLaunch(f"{path} is not a GGUF file")
    _version, _tensors, count = _unpack(file, "IQQ")
    head = {}
    for _ in range(count):
        name = _string(file)
        (kind,) = _unpack(file, "I")
        if kind == _ARRAY:
            _skip_array(file)
        else:
            head[name] = _string(file) if kind == _STRING else _unpack(file, _SCALARS[kind])[0]
    return head


def _unpack(file: BinaryIO, layout: str) -> tuple[Any, ...]:
    layout = f"<{layout}"
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


def _string(file: BinaryIO) -> str:
    return file.read(_length(file)).decode()


def _length(file: BinaryIO) -> int:
    (length,) = _unpack(file, "Q")
    return _checked(length)


def _checked(length: int) -> int:
    """Raise struct.error for a length that no file has."""
    if length > _LONGEST:
        raise struct.error(length)
    return length


def _skip_array(file: BinaryIO) -> None:
    kind, count = _unpack(file, "IQ")
    if kind != _STRING:
        file.seek(_checked(count * struct.calcsize(f"<{_SCALARS[kind]}")), 1)
        return
    for _ in range(count):
        file.seek(_length(file), 1)

"""Parsing multipart/form-data to fields and files."""

from collections.abc import Iterable
from pathlib import PurePath
from typing import IO

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from oxlo.errors import BadRequest
from oxlo.media.files import Files
from oxlo.wire.decode import invalid
from oxlo.wire.media import File, Unpacked

MAX_PARTS = 200
#: Limit on text fields, bytes: larger ones are files, or mistakes.
MAX_FIELD = 1 << 20
_NO_BOUNDARY = (
    "The content type of the form names no boundary. Leave that header to your HTTP client: it "
    "sets it when it is given a form."
)


def unpack(content_type: str, pieces: Iterable[bytes], files: Files) -> Unpacked:
    """Parse a form incrementally. Raises BadRequest."""
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise BadRequest(_NO_BOUNDARY, code="bad_form")
    form = _Form(files)
    try:
        form.read(boundary, pieces)
    except FormParserError as error:
        raise _unreadable(str(error)) from None
    finally:
        form.close()
    if not form.complete:
        raise _unreadable("it ends too early")
    return Unpacked(tuple(files.listed), msgspec.Raw(msgspec.json.encode(form.fields())))


def _unreadable(reason: str) -> BadRequest:
    return BadRequest(f"The form cannot be read: {reason.rstrip('.')}.", code="bad_form")


class _Form:
    """The fields so far, and the current part."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._values: dict[str, list[str]] = {}
        self._lists: set[str] = set()
        self._parts = 0
        self.complete = False
        self._headers: dict[bytes, bytes] = {}
        self._header = [b"", b""]
        self._name = self._filename = ""
        self._size = 0
        self._text = bytearray()
        self._file: IO[bytes] | None = None

    def read(self, boundary: bytes, pieces: Iterable[bytes]) -> None:
        """Parse the whole form. Raises BadRequest or FormParserError."""
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._open,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._complete,
            },
        )
        for piece in pieces:
            parser.write(piece)
        parser.finalize()

    def fields(self) -> dict[str, str | list[str]]:
        """Values by name; a list if the name ends in [] or repeats."""
        return {
            name: values if name in self._lists or len(values) > 1 else values[0]
            for name, values in self._values.items()
        }

    def close(self) -> None:
        """Close a file that an incomplete form has left open."""
        if self._file is not None:
            self._file.close()

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise BadRequest(f"The form has more than {MAX_PARTS} parts.", code="bad_form")
        self._headers = {}

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end]

    def _header_end(self) -> None:
        name, value = self._header
        self._headers[name.lower()] = value.strip()
        self._header = [b"", b""]

    def _open(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"name" not in options:
            raise FormParserError("a part has no name")
        self._name = options[b"name"].decode(errors="replace")[:200]
        self._size = 0
        if b"filename" in options:
            self._filename = PurePath(options[b"filename"].decode(errors="replace")).name[-200:]
            self._file = self._files.create()

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])
        elif self._size > MAX_FIELD:
            raise invalid(self._name, f"at most {MAX_FIELD >> 20} MB as text; send it as a file.")
        else:
            self._text += data[start:end]

    def _end(self) -> None:
        file, self._file = self._file, None
        if file is None:
            self._add(self._told())
            return
        file.close()
        if not self._size:
            raise invalid(self._name, "the file is empty.")
        kind = self._headers.get(b"content-type", b"").decode("latin-1")
        stored = File(path=file.name, size=self._size, type=kind, name=self._filename)
        self._add(self._files.add(stored))

    def _told(self) -> str:
        text, self._text = self._text, bytearray()
        try:
            return text.decode()
        except UnicodeDecodeError:
            raise invalid(self._name, "it is not text; a file needs a filename.") from None

    def _add(self, value: str) -> None:
        name = self._name.removesuffix("[]")
        if name != self._name:
            self._lists.add(name)
        self._values.setdefault(name, []).append(value)

    def _complete(self) -> None:
        self.complete = True

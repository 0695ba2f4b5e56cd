"""What a call carries beside text: what the caller names, and the files that are made of it."""

from typing import Literal

import msgspec

Kind = Literal["image", "audio"]

#: Headers of the media process: the call's folder, the body's file where it has one, and the
#: fields of a JSON body that may be files.
FOLDER = "x-oxlo-folder"
SPOOLED = "x-oxlo-spool"
JSON_FIELDS = "x-oxlo-fields"

#: Stands in a request for what was sent along as its Nth file.
FILE = "oxlo-file:"


class Medium(msgspec.Struct, frozen=True, kw_only=True):
    """A picture or recording that a request names: a URL, a data URI, base64, or `oxlo-file:N`."""

    source: str
    kind: Kind
    #: The field that names it, for errors.
    param: str
    #: Whether its file has to hold a data URI, for engines that take pictures in JSON.
    data_uri: bool = False


class File(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of a call, in the gateway's spool for as long as the call lasts."""

    path: str
    #: Bytes.
    size: int
    #: Its media type, by its first bytes once it was inspected.
    type: str
    #: As the caller named it; "" for what came without a name.
    name: str = ""
    #: Pixels, of pictures that were inspected.
    width: int | None = None
    height: int | None = None


class Unpacked(msgspec.Struct, frozen=True):
    """A body as its endpoint reads it, small, and the files that were in it."""

    body: msgspec.Raw
    files: tuple[File, ...]


class Inspect(msgspec.Struct, frozen=True):
    """Media to be made into files; `files` are those that `oxlo-file:N` means."""

    media: tuple[Medium, ...]
    files: tuple[File, ...] = ()


class Inspected(msgspec.Struct, frozen=True):
    """A file for each medium, in their order."""

    files: tuple[File, ...]

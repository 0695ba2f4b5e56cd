"""What a call carries beside text: what the caller names, and the files that are made of it."""

from typing import Literal

import msgspec

Kind = Literal["image", "audio"]

#: Stands in a request for what was sent along as its Nth file.
FILE = "oxlo-file:"


class Medium(msgspec.Struct, frozen=True, kw_only=True):
    """A picture or recording that a request names: a URL, a data URI, base64, or `oxlo-file:N`."""

    source: str
    kind: Kind
    #: The field that names it, for errors.
    param: str


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

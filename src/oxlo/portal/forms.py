"""Form fields as text, and validation problems."""

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

from oxlo.errors import BadRequest, BodyTooLarge

_MAX_FIELDS = 300
#: Maximum bytes of a form, lower than the gateway's limit.
_MAX_BYTES = 256 << 10


class Problem(ValueError):
    """A field is invalid; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class FormValues(dict[str, str]):
    """A mapping of field names to text; missing fields are ""."""

    def __missing__(self, name: str) -> str:
        return ""

    @classmethod
    def of(cls, form: FormData | None) -> "FormValues":
        """The submitted values, to be shown in the form again."""
        return cls({name: text(form, name) for name in form} if form else {})


async def fields(request: Request) -> FormData:
    """Parse a form without files. Raises BadRequest, BodyTooLarge."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > _MAX_BYTES:
        raise BodyTooLarge("A form has at most 256 KB.")
    try:
        form = await request.form(max_files=0, max_fields=_MAX_FIELDS)
        for name, value in form.multi_items():
            f"{name}{value}".encode()  # the charset that it names may decode to lone surrogates
    except (HTTPException, UnicodeError):
        raise BadRequest("This is not a form from these pages.") from None
    return form


def text(form: FormData, name: str, *, max_length: int = 1000) -> str:
    """A field as text; "" if it is missing or a file."""
    value = form.get(name, "")
    return value[:max_length] if isinstance(value, str) else ""

"""Forms: their fields as text, and what is wrong with one."""

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

from oxlo.errors import BadRequest, BodyTooLarge

_FIELDS = 300
#: Bytes of a form; the gateway would let through more.
_LARGEST = 256 << 10


class Problem(ValueError):
    """A field cannot be used as it was sent; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class Filled(dict[str, str]):
    """Words by the name of a field; "" for those that have none."""

    def __missing__(self, name: str) -> str:
        return ""

    @classmethod
    def of(cls, form: FormData | None) -> "Filled":
        """What was typed into a form, to be shown in it again."""
        return cls({name: text(form, name) for name in form} if form else {})


async def fields(request: Request) -> FormData:
    """The fields of a form, which has no files. Raises BadRequest, BodyTooLarge."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > _LARGEST:
        raise BodyTooLarge("A form has at most 256 KB.")
    try:
        return await request.form(max_files=0, max_fields=_FIELDS)
    except HTTPException:
        raise BadRequest("This is not a form from these pages.") from None


def text(form: FormData, name: str, *, longest: int = 1000) -> str:
    """A field as text; "" where it is missing or a file."""
    value = form.get(name, "")
    return value[:longest] if isinstance(value, str) else ""

"""Requests that come as a form: fields of text, and a file."""

from collections.abc import Collection

from starlette.datastructures import FormData, UploadFile

from oxlo.wire.decode import invalid, required


def fields(form: FormData, lists: Collection[str] = ()) -> dict[str, str | list[str]]:
    """The text of a form; empty fields are left out, as nobody means them.

    `lists` may repeat, and be spelt with brackets after their names.
    """
    found: dict[str, str | list[str]] = {}
    for key, value in form.multi_items():
        if not isinstance(value, str) or not value:
            continue
        name = key.removesuffix("[]")
        if name in lists:
            found[name] = [*found.get(name, ()), value]
        else:
            found[name] = value
    return found


def file(form: FormData, name: str) -> UploadFile:
    """The one file of a name. Raises BadRequest."""
    given = [*form.getlist(name), *form.getlist(f"{name}[]")]
    if not given:
        raise required(name)
    if len(given) > 1 or not isinstance(given[0], UploadFile):
        raise invalid(name, "expected one file.")
    return given[0]

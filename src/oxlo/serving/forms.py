"""Multipart form requests: text fields and a file."""

from collections.abc import Collection

from starlette.datastructures import FormData, UploadFile

from oxlo.wire.decode import invalid, required


def fields(form: FormData, lists: Collection[str] = ()) -> dict[str, str | list[str]]:
    """Collect a form's text fields; empty ones count as absent.

    Fields named in `lists` may repeat, with or without `[]` after their names.
    """
    values: dict[str, str | list[str]] = {}
    for key, value in form.multi_items():
        if not isinstance(value, str) or not value:
            continue
        name = key.removesuffix("[]")
        if name in lists:
            values[name] = [*values.get(name, ()), value]
        else:
            values[name] = value
    return values


def file(form: FormData, name: str) -> UploadFile:
    """Return the only file named `name`. Raises BadRequest."""
    files = [*form.getlist(name), *form.getlist(f"{name}[]")]
    if not files:
        raise required(name)
    if len(files) > 1 or not isinstance(files[0], UploadFile):
        raise invalid(name, "expected one file.")
    return files[0]

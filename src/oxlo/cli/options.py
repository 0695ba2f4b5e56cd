"""Options and arguments shared by several commands."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WithParent = Annotated[
    bool,
    typer.Option("--with-parent", help="Stop when standard input closes."),
]
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="The model's id or alias.")]

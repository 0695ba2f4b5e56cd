"""Model files of remote models, as operators write them."""

from pathlib import Path

FILE = """
id = "{model}"
name = "{model}"
category = "chat"
tier = "free"
description = ""
abilities = [{abilities}]
context_length = 8192
licence = ""
homepage = ""
created = 1

[[variants]]
hardware = "remote"
engine = "upstream"

[variants.args]
{args}
"""


def write(
    home: Path, model: str, address: str, abilities: tuple[str, ...] = ("chat",), **args: str
) -> None:
    """Add a remote model to an installation; `args` are its variant's arguments."""
    folder = home / "models.d"
    folder.mkdir(parents=True, exist_ok=True)
    quoted = ", ".join(f'"{ability}"' for ability in abilities)
    arguments = {"base_url": f"{address}/v1", "dialect": "vllm"} | args
    lines = "\n".join(f'{name} = "{value}"' for name, value in arguments.items())
    (folder / f"{model}.toml").write_text(FILE.format(model=model, abilities=quoted, args=lines))

"""A double of the program `vllm serve`, which runs the engine double.

It accepts the flags that the platform uses, requires the key in VLLM_API_KEY, logs like vLLM, and
has a worker process that only ends by SIGKILL. Its start is scripted by the file `double.json` (a
`Plan`) in the model's folder.
"""

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from oxlo.settings import Settings
from oxlo.testing.engine import EngineDouble

_VALUES = (
    "host port served-model-name tensor-parallel-size "
    "pipeline-parallel-size max-model-len max-num-seqs gpu-memory-utilization dtype "
    "scheduling-policy generation-config quantization tool-call-parser reasoning-parser "
    "limit-mm-per-prompt allowed-media-domains tokenizer-mode config-format load-format "
    "chat-template-content-format"
)
_SWITCHES = (
    "enable-prefix-caching enable-prompt-tokens-details no-enable-log-requests "
    "disable-uvicorn-access-log enable-auto-tool-choice trust-remote-code enforce-eager"
)
_WORKER = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The script of a start."""

    #: Printed to stdout; lines that end in a carriage return imitate progress bars.
    says: str = "INFO Loading weights"
    #: Exit status instead of serving; None: serve.
    ends: int | None = None
    #: Path of a named pipe to wait for before listening.
    until: str = ""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments of `vllm serve MODEL`; exits on unknown flags."""
    parser = argparse.ArgumentParser(prog="vllm serve", allow_abbrev=False)
    parser.add_argument("verb", choices=("serve",))
    parser.add_argument("model")
    for flag in _VALUES.split():
        parser.add_argument(f"--{flag}")
    for flag in _SWITCHES.split():
        parser.add_argument(f"--{flag}", action="store_true")
    return parser.parse_args(arguments)


async def serve(options: argparse.Namespace, api_key: str) -> None:
    """Serve until the process is killed."""
    double = EngineDouble(
        "vllm",
        model=options.served_model_name,
        slots=int(options.max_num_seqs),
        api_key=api_key,
        port=int(options.port),
    )
    async with double:
        await asyncio.get_running_loop().create_future()


def main() -> None:
    """Run the program."""
    options = parse(sys.argv[1:])
    file = Path(options.model) / "double.json"
    plan = msgspec.json.decode(file.read_bytes(), type=Plan) if file.exists() else Plan()
    worker = subprocess.Popen([sys.executable, "-c", _WORKER])
    sys.stdout.write(f"{plan.says}\nworker {worker.pid}\n")
    sys.stdout.flush()
    if plan.until:
        with open(plan.until, "rb") as gate:  # noqa: PTH123 - a pipe: opening it is the wait
            gate.read()
    if plan.ends is not None:
        os._exit(plan.ends)
    asyncio.run(serve(options, Settings().secret("VLLM_API_KEY")))


if __name__ == "__main__":
    main()

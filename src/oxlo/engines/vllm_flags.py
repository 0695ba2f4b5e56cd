"""Which further flags of vLLM a model file may give; pure."""

from collections.abc import Iterable, Iterator

from oxlo.engines.base import CannotLaunch

#: Set by the platform, or by an argument of the kind.
_DECIDED = (
    "model served-model-name revision code-revision tensor-parallel-size pipeline-parallel-size "
    "max-model-len max-num-seqs gpu-memory-utilization dtype quantization scheduling-policy "
    "generation-config override-generation-config tool-call-parser enable-auto-tool-choice "
    "reasoning-parser limit-mm-per-prompt trust-remote-code"
)
#: Who reaches the engine, and where it listens.
_DOORS = (
    "host port uds api-key grpc grpc-port headless ssl-keyfile ssl-certfile ssl-ca-certs "
    "allow-credentials allowed-origins middleware root-path enable-tokenizer-info-endpoint "
    "enable-scale-out tokens-only data-parallel-address data-parallel-rpc-port"
)
#: Other sources of flags, files, pictures, secrets or program code.
_SOURCES = (
    "config hf-token hf-config-path allowed-local-media-path allowed-media-domains tool-server "
    "tool-parser-plugin reasoning-parser-plugin io-processor-plugin logits-processors worker-cls "
    "worker-extension-cls scheduler-cls trust-request-chat-template trust-request-mm-kwargs "
    "enable-prompt-embeds enable-mm-embeds"
)
#: What would be logged or sent of the callers' words, and what health is read from.
_PRIVACY = (
    "enable-log-requests enable-log-outputs log-config-file logging-config "
    "otlp-traces-endpoint disable-log-stats return-tokens-as-token-ids"
)
REFUSED = frozenset(f"{_DECIDED} {_DOORS} {_SOURCES} {_PRIVACY}".split())


def check(extra: Iterable[str]) -> None:
    """Raise CannotLaunch, naming the flag, when one would undo what the platform decided."""
    for name in _names(extra):
        # vLLM's parser takes beginnings of names for the whole, and `a.b` for a key inside of `a`.
        whole = name.partition(".")[0]
        if not whole or any(refused.startswith(whole) for refused in REFUSED):
            raise CannotLaunch(
                f"the model file's args for vllm: --{name} is not for `extra`: it is decided by "
                "the platform or an argument of its own, or unsafe"
            )


def _names(extra: Iterable[str]) -> Iterator[str]:
    """Names of the flags, as vLLM itself reads them: `--a_b=c` and `--no-a-b` are `a-b`."""
    for part in extra:
        if part.startswith("--"):
            name = part[2:].partition("=")[0].replace("_", "-")
            yield name.removeprefix("no-")
        elif part.startswith("-") and not part[1:].replace(".", "").isdigit():
            raise CannotLaunch(f"the model file's args for vllm: write {part} with its long name")

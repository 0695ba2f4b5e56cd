"""Which additional vLLM flags a model file may use. Pure."""

from collections.abc import Iterable, Iterator

from oxlo.engines.base import CannotLaunch

#: Set by the platform, or by one of our own arguments.
_DECIDED = (
    "model served-model-name revision code-revision tensor-parallel-size pipeline-parallel-size "
    "max-model-len max-num-seqs gpu-memory-utilization dtype quantization scheduling-policy "
    "generation-config override-generation-config tool-call-parser enable-auto-tool-choice "
    "reasoning-parser limit-mm-per-prompt trust-remote-code"
)
#: Network access and authentication.
_NETWORK = (
    "host port uds api-key grpc grpc-port headless ssl-keyfile ssl-certfile ssl-ca-certs "
    "allow-credentials allowed-origins middleware root-path enable-tokenizer-info-endpoint "
    "enable-scale-out tokens-only data-parallel-address data-parallel-rpc-port"
)
#: Other sources of flags, files, media, secrets or code.
_SOURCES = (
    "config hf-token hf-config-path allowed-local-media-path allowed-media-domains tool-server "
    "tool-parser-plugin reasoning-parser-plugin io-processor-plugin logits-processors worker-cls "
    "worker-extension-cls scheduler-cls trust-request-chat-template trust-request-mm-kwargs "
    "enable-prompt-embeds enable-mm-embeds"
)
#: Logging or exporting prompts, and the metrics that health checks need.
_PRIVACY = (
    "enable-log-requests enable-log-outputs log-config-file logging-config "
    "otlp-traces-endpoint disable-log-stats return-tokens-as-token-ids"
)
REFUSED = frozenset(f"{_DECIDED} {_NETWORK} {_SOURCES} {_PRIVACY}".split())


def check(extra: Iterable[str]) -> None:
    """Raise CannotLaunch, naming the flag, if one would override what the platform decided."""
    for name in _names(extra):
        # vLLM's parser accepts unambiguous prefixes, and `a.b` for a key inside `a`.
        whole = name.partition(".")[0]
        if not whole or any(refused.startswith(whole) for refused in REFUSED):
            raise CannotLaunch(
                f"the model file's args for vllm: --{name} is not for `extra`: it is decided by "
                "the platform or an argument of its own, or unsafe"
            )


def _names(extra: Iterable[str]) -> Iterator[str]:
    """Flag names as vLLM parses them: `--a_b=c` and `--no-a-b` are both `a-b`."""
    for part in extra:
        if part.startswith("--"):
            name = part[2:].partition("=")[0].replace("_", "-")
            yield name.removeprefix("no-")
        elif part.startswith("-") and not part[1:].replace(".", "").isdigit():
            raise CannotLaunch(f"the model file's args for vllm: write {part} with its long name")

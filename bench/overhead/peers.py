"""The gateway and its peers, each with one worker on one CPU in front of the same engine."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import oxlo
from bench.installation import installation
from bench.overhead.engine import Engine, model
from bench.overhead.venvs import program
from bench.processes import Failed, Process, free_port
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.gateway import exchange
from oxlo.testing.shapes import SHAPES

VLLM_ROUTER = "0.1.17"
SGLANG_ROUTER = "0.3.2"
LITELLM = "1.109.1"

#: Our gateway with limits in Valkey; only measured on request.
SHARED = "oxlo-valkey"
#: More than the connections of any load.
SLOTS = 4096


@dataclass(frozen=True)
class Peer:
    """A running gateway or proxy in front of the engine."""

    name: str
    version: str
    port: int
    process: Process
    key: str = "none"
    #: A key whose plan limits the input, if supported.
    capped_key: str = ""
    #: Factor on the duration of its loads, because a slow peer answers few requests.
    patience: int = 1
    #: Auxiliary processes, measured separately.
    others: dict[str, Process] = field(default_factory=dict)


@contextmanager
def gateway(engine: Engine, folder: Path) -> Iterator[Peer]:
    """Run Oxlo's gateway with keys, plans, limits and receipts, as shipped."""
    replicas = [_replica(engine, shape) for shape in SHAPES]
    with installation(folder, [replica.model for replica in replicas], replicas) as ours:
        others = {"control": ours.control}
        keys = (ours.key, ours.capped_key)
        yield Peer("oxlo", _version(), ours.port, ours.gateway, *keys, others=others)


@contextmanager
def shared(engine: Engine, folder: Path) -> Iterator[Peer]:
    """Run Oxlo's gateway with limits in Valkey, as multiple gateways use it."""
    replicas = [_replica(engine, shape) for shape in SHAPES]
    models = [replica.model for replica in replicas]
    with installation(folder, models, replicas, valkey=True) as ours:
        assert ours.valkey is not None
        others = {"control": ours.control, "valkey": ours.valkey}
        keys = (ours.key, ours.capped_key)
        yield Peer(SHARED, _version(), ours.port, ours.gateway, *keys, others=others)


def _version() -> str:
    """Return the version, marked if editable, because editable installs are not compiled."""
    compiled = not str(exchange.__file__).endswith(".py")
    return f"{oxlo.__version__} ({'compiled' if compiled else 'not compiled'})"


def _replica(engine: Engine, shape: str) -> Replica:
    return Replica(
        id=shape,
        model=model(shape),
        kind="upstream",
        dialect=shape,
        address=engine.address,
        engine_model=model(shape),
        slots=SLOTS,
        context_length=131_072,
        state=ReplicaState.READY,
        since=time.time(),
    )


NGINX = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 25m;
  client_body_buffer_size 128k;
  keepalive_requests 1000000000;
  upstream engine {{
    server 127.0.0.1:{engine};
    keepalive 1024;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


@contextmanager
def nginx(engine: Engine, folder: Path) -> Iterator[Peer]:
    """Run nginx as a plain reverse proxy, the lower bound of a hop's cost."""
    binary = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if not binary:
        raise Failed("nginx not found: apt install nginx-light")
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    conf = folder / "nginx.conf"
    conf.write_text(NGINX.format(user=user, folder=folder, engine=engine.port, port=port))
    output = subprocess.run([binary, "-v"], capture_output=True, text=True).stderr
    command: list[str | Path] = [binary, "-p", folder, "-e", "stderr", "-c", conf]
    with _serving(command, folder, port) as process:
        yield Peer("nginx", output.strip().rpartition("/")[2], port, process)


#: Arguments of both Rust routers.
ROUTER = ("--policy", "round_robin", "--disable-retries", "--disable-circuit-breaker")


@contextmanager
def vllm_router(engine: Engine, folder: Path) -> Iterator[Peer]:
    """Run vLLM's router (Rust)."""
    binary = program("vllm-router", f"vllm-router=={VLLM_ROUTER}")
    options = ("--log-level", "error", *_room())
    with _router([binary], engine, folder, options) as (port, process):
        yield Peer("vllm-router", VLLM_ROUTER, port, process)


@contextmanager
def sglang_router(engine: Engine, folder: Path) -> Iterator[Peer]:
    """Run SGLang's router (Rust)."""
    binary = program("sglang-router", f"sglang-router=={SGLANG_ROUTER}")
    options = ("--log-level", "error", "--disable-health-check", *_room())
    with _router([binary, "launch"], engine, folder, options) as (port, process):
        yield Peer("sglang-router", SGLANG_ROUTER, port, process)


def _room() -> tuple[str, ...]:
    """Allow as many concurrent requests as connections."""
    return ("--max-concurrent-requests", str(SLOTS), "--health-check-interval-secs", "60")


@contextmanager
def _router(
    program: Sequence[str | Path], engine: Engine, folder: Path, options: tuple[str, ...]
) -> Iterator[tuple[int, Process]]:
    port, metrics = free_port(), free_port()
    at = ("--host", "127.0.0.1", "--port", str(port), "--prometheus-port", str(metrics))
    command = [*program, *at, "--worker-urls", engine.address, *ROUTER, *options]
    with _serving(command, folder, port) as process:
        yield port, process


LITELLM_CONFIG = """
model_list:
{models}
litellm_settings:
  num_retries: 0
  telemetry: false
general_settings:
  master_key: {key}
"""
LITELLM_MODEL = """
  - model_name: {model}
    litellm_params: {{model: openai/{model}, api_base: "{address}/v1", api_key: none}}
"""
LITELLM_KEY = "sk-bench"


@contextmanager
def litellm(engine: Engine, folder: Path) -> Iterator[Peer]:
    """Run LiteLLM's proxy (Python) without a database; the master key is its only key."""
    lifted = ("certifi", "litellm-proxy-extras")
    binary = program("litellm", f"litellm[proxy]=={LITELLM}", lifted)
    port = free_port()
    models = "".join(LITELLM_MODEL.format(model=model(s), address=engine.address) for s in SHAPES)
    config = folder / "config.yaml"
    config.write_text(LITELLM_CONFIG.format(models=models, key=LITELLM_KEY))
    quiet = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    at = ("--host", "127.0.0.1", "--port", str(port), "--num_workers", "1")
    command: list[str | Path] = [binary, "--config", config, "--telemetry", "False", *at]
    with _serving(command, folder, port, dict(os.environ) | quiet) as process:
        yield Peer("litellm", LITELLM, port, process, LITELLM_KEY, patience=3)


@contextmanager
def _serving(
    command: Sequence[str | Path], folder: Path, port: int, env: dict[str, str] | None = None
) -> Iterator[Process]:
    with Process(command, folder / "log", env=env) as process:
        process.wait_for_port(port, 180)
        yield process


Start = Callable[[Engine, Path], AbstractContextManager[Peer]]

#: The gateway first; ratios are between it and each of the others.
PEERS: dict[str, Start] = {
    "oxlo": gateway,
    "nginx": nginx,
    "vllm-router": vllm_router,
    "sglang-router": sglang_router,
    "litellm": litellm,
    SHARED: shared,
}

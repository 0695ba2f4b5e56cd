"""Builds the package and, if there is a C compiler, compiles the hot path (docs/decisions/0005).

All other metadata is in pyproject.toml. Editable installs are never compiled, because a compiled
module would shadow the source that is being edited.
"""

import os
import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

#: Modules used by every request; those with msgspec Structs are excluded, which are C already.
HOT = (
    "catalogue/parameters.py",
    "engines/dialect.py",
    "engines/dialects/bodies.py",
    "engines/dialects/chat.py",
    "engines/dialects/choice.py",
    "engines/dialects/chunks.py",
    "engines/dialects/completions.py",
    "engines/dialects/events.py",
    "engines/dialects/functions.py",
    "engines/dialects/image_events.py",
    "engines/dialects/llamacpp.py",
    "engines/dialects/message.py",
    "engines/dialects/openai.py",
    "engines/dialects/oxlo.py",
    "engines/dialects/pictures.py",
    "engines/dialects/raw.py",
    "engines/dialects/reasoning.py",
    "engines/dialects/stream.py",
    "engines/dialects/template.py",
    "engines/dialects/text.py",
    "engines/dialects/toolscan.py",
    "engines/dialects/typed.py",
    "engines/dialects/usage.py",
    "engines/dialects/vllm.py",
    "fleet/breaker.py",
    "fleet/pace.py",
    "fleet/prefixes.py",
    "fleet/router.py",
    "gateway/active.py",
    "gateway/admission.py",
    "gateway/attempt.py",
    "gateway/auth.py",
    "gateway/backends.py",
    "gateway/body.py",
    "gateway/call.py",
    "gateway/call_end.py",
    "gateway/call_setup.py",
    "gateway/chain.py",
    "gateway/clocks.py",
    "gateway/collect.py",
    "gateway/comments.py",
    "gateway/content.py",
    "gateway/core.py",
    "gateway/current_plans.py",
    "gateway/dryrun.py",
    "gateway/endpoints.py",
    "gateway/exchange.py",
    "gateway/gateway.py",
    "gateway/headers.py",
    "gateway/history.py",
    "gateway/http.py",
    "gateway/idempotency/shared.py",
    "gateway/local_handlers.py",
    "gateway/metrics.py",
    "gateway/outgoing.py",
    "gateway/prediction.py",
    "gateway/quota.py",
    "gateway/reading.py",
    "gateway/receipts.py",
    "gateway/repeated_heads.py",
    "gateway/request_ids.py",
    "gateway/routes.py",
    "gateway/scheduler.py",
    "gateway/server.py",
    "gateway/shared_scheduler.py",
    "gateway/upstream.py",
    "gateway/upstream_request.py",
    "ledger/account.py",
    "ledger/account_cache.py",
    "ledger/admissions.py",
    "ledger/base.py",
    "ledger/commands.py",
    "ledger/journal.py",
    "ledger/leases.py",
    "ledger/memory.py",
    "ledger/outage.py",
    "ledger/pending.py",
    "ledger/segment.py",
    "ledger/settlements.py",
    "ledger/shared.py",
    "ledger/slots.py",
    "ledger/valkey_health.py",
    "ledger/waiting.py",
    "ledger/windows.py",
    "plans/apikey.py",
    "queue.py",
    "valkey/script.py",
    "valkey/wire.py",
    "wire/chat.py",
    "wire/completions.py",
    "wire/decode.py",
    "wire/given.py",
    "wire/marks.py",
    "wire/messages.py",
    "wire/ranges.py",
    "wire/sampling.py",
)


def extensions() -> list[object]:
    """Compile the hot path to C extensions, unless this is disabled or impossible."""
    if os.environ.get("OXLO_COMPILE", "1") == "0" or "editable_wheel" in sys.argv:
        return []
    try:
        from mypyc.build import mypycify
    except ImportError:
        return []
    os.environ.setdefault("MYPYPATH", "src")
    hot = [str(Path("src/oxlo") / module) for module in HOT]
    made = mypycify(hot, opt_level="2", debug_level="0", group_name="oxlo")
    for extension in made:
        extension.optional = True  # without a C compiler the modules run as Python
    return list(made)


#: The documentation served by the portal, and its file types (decision 37).
DOCS = (Path("docs"), Path("CHANGELOG.md"), Path("CONTRIBUTING.md"), Path("SECURITY.md"))
SHOWN = (".md", ".png", ".svg", ".jpg")


class WithDocs(build_py):
    """Copies the documentation into the package; editable installs read it in place."""

    def run(self) -> None:
        """Build the modules, then copy the pages."""
        super().run()
        if not self.editable_mode:
            self._copy(Path(self.build_lib) / "oxlo" / "portal" / "manual" / "files")

    def _copy(self, target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)  # remove pages of an older build
        for source in DOCS:
            for file in [source] if source.is_file() else sorted(source.rglob("*")):
                if file.suffix in SHOWN:
                    (target / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target / file)


setup(ext_modules=extensions(), cmdclass={"build_py": WithDocs})

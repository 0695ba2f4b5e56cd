"""Where an installation keeps what it has: everything is below its data folder."""

import hashlib
import os
import tempfile
from pathlib import Path

#: A unix socket's path may not be longer than this on macOS (104) or Linux (108).
_SOCKET_PATH_MAX = 100


class Places:
    """The folders, files and sockets of the installation in the folder `home`."""

    __slots__ = ()

    home: Path

    @property
    def valkey_socket(self) -> Path:
        """Where the embedded Valkey listens."""
        return self.run_dir / "valkey.sock"

    @property
    def valkey_dir(self) -> Path:
        """Where the embedded Valkey keeps its data."""
        return self.home / "valkey"

    @property
    def journal_dir(self) -> Path:
        """Where gateways write their journals."""
        return self.home / "journal"

    @property
    def logs_dir(self) -> Path:
        """A log for each process, and for each engine."""
        return self.home / "logs"

    @property
    def idempotency_dir(self) -> Path:
        """Where gateways keep answers to calls with a key."""
        return self.home / "idempotency"

    @property
    def weights_dir(self) -> Path:
        """Where weights are kept, by sha256."""
        return self.home / "weights"

    @property
    def edited_plans(self) -> Path:
        """The plans as they were edited in the portal; its versions are in `plans/`."""
        return self.home / "plans.toml"

    @property
    def plans_dir(self) -> Path:
        """Every version of the plans that was saved in the portal."""
        return self.home / "plans"

    @property
    def pins_dir(self) -> Path:
        """Which files of a hub's repositories are served, by commit and sha256."""
        return self.home / "pins"

    @property
    def supplied_dir(self) -> Path:
        """Files that only the operator can bring."""
        return self.home / "supplied"

    @property
    def run_dir(self) -> Path:
        """Sockets and the replica list; short, because socket paths are limited."""
        inside = self.home / "run"
        if len(str(inside)) + len("/control-private.sock") <= _SOCKET_PATH_MAX:
            return inside
        digest = hashlib.sha256(str(self.home.absolute()).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"oxlo-{os.getuid()}-{digest}"

    @property
    def control_socket(self) -> Path:
        """Control's public application: the gateway relays to it."""
        return self.run_dir / "control.sock"

    @property
    def control_private_socket(self) -> Path:
        """Control's private application: key look-ups and changes, for gateways only."""
        return self.run_dir / "control-private.sock"

    @property
    def media_socket(self) -> Path:
        """The media process, for gateways only."""
        return self.run_dir / "media.sock"

    @property
    def spool_dir(self) -> Path:
        """Where gateways keep large bodies and the files of media calls, each in its own folder."""
        return self.run_dir / "media"

    @property
    def fleet_socket(self) -> Path:
        """Orders to the fleet, for this user only."""
        return self.run_dir / "fleet.sock"

    @property
    def replicas_file(self) -> Path:
        """The list of replicas, written by the fleet and read by gateways."""
        return self.run_dir / "replicas.json"

    def gateway_socket(self, name: str) -> Path:
        """The private admin socket of gateway `name`."""
        return self.run_dir / f"gateway-{name}.sock"

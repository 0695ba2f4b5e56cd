"""Paths of an installation's files and sockets, all below its data folder."""

import hashlib
import os
import tempfile
from pathlib import Path

#: Longest path of a unix socket that works on both macOS (104) and Linux (108).
_SOCKET_PATH_MAX = 100


class Paths:
    """The folders, files and sockets of the installation in the folder `home`."""

    __slots__ = ()

    home: Path

    @property
    def valkey_socket(self) -> Path:
        """Socket of the embedded Valkey."""
        return self.run_dir / "valkey.sock"

    @property
    def valkey_dir(self) -> Path:
        """Data folder of the embedded Valkey."""
        return self.home / "valkey"

    @property
    def journal_dir(self) -> Path:
        """Journals of the gateways."""
        return self.home / "journal"

    @property
    def logs_dir(self) -> Path:
        """Logs, one per process and one per engine."""
        return self.home / "logs"

    @property
    def idempotency_dir(self) -> Path:
        """Stored responses to requests with an idempotency key."""
        return self.home / "idempotency"

    @property
    def weights_dir(self) -> Path:
        """Weights files by sha256."""
        return self.home / "weights"

    @property
    def edited_plans(self) -> Path:
        """The plans as edited in the portal; all versions are in `plans/`."""
        return self.home / "plans.toml"

    @property
    def plans_dir(self) -> Path:
        """All versions of the plans saved in the portal."""
        return self.home / "plans"

    @property
    def pins_dir(self) -> Path:
        """Pinned files of hub repositories, by commit and sha256."""
        return self.home / "pins"

    @property
    def supplied_dir(self) -> Path:
        """Files that only the operator can supply."""
        return self.home / "supplied"

    @property
    def run_dir(self) -> Path:
        """Sockets and the replica list; a short path, because socket paths are limited."""
        inside = self.home / "run"
        if len(str(inside)) + len("/control-private.sock") <= _SOCKET_PATH_MAX:
            return inside
        digest = hashlib.sha256(str(self.home.absolute()).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"oxlo-{os.getuid()}-{digest}"

    @property
    def control_socket(self) -> Path:
        """Socket of control's public application, to which the gateway relays."""
        return self.run_dir / "control.sock"

    @property
    def control_private_socket(self) -> Path:
        """Socket of control's private application: key look-ups and changes, for gateways only."""
        return self.run_dir / "control-private.sock"

    @property
    def media_socket(self) -> Path:
        """Socket of the media process, for gateways only."""
        return self.run_dir / "media.sock"

    @property
    def spool_dir(self) -> Path:
        """Large request bodies and uploaded files, in one folder per gateway."""
        return self.run_dir / "media"

    @property
    def fleet_socket(self) -> Path:
        """Socket for commands to the fleet, for this user only."""
        return self.run_dir / "fleet.sock"

    @property
    def replicas_file(self) -> Path:
        """The list of replicas, written by the fleet and read by gateways."""
        return self.run_dir / "replicas.json"

    def gateway_socket(self, name: str) -> Path:
        """The private admin socket of gateway `name`."""
        return self.run_dir / f"gateway-{name}.sock"

"""What a gateway process makes of its surroundings."""

import pytest

from oxlo.gateway.process import connections
from oxlo.settings import SettingsError


def test_connections_and_open_files() -> None:
    """Half of the open files are connections, less a reserve; too few are refused."""
    assert connections(1024) == 488
    with pytest.raises(SettingsError, match="ulimit -n"):
        connections(40)

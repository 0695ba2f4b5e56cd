"""What all pages share: the installation's data and the templates."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from oxlo import __version__, catalogue, plans
from oxlo.asgi.attached import Attached
from oxlo.catalogue import Catalogue
from oxlo.plans import Plans
from oxlo.portal import rates
from oxlo.portal.assets import Assets
from oxlo.portal.manual.documentation import Documentation
from oxlo.portal.manual.library import Library
from oxlo.portal.pages import Pages
from oxlo.portal.rates import Rate
from oxlo.settings import Settings
from oxlo.store.database import Database
from oxlo.store.status import Board


@dataclass(frozen=True, slots=True)
class Site(Attached):
    """Services of the website, one instance per application."""

    settings: Settings
    database: Database
    board: Board
    catalogue: Catalogue
    plans: Plans
    rates: tuple[Rate, ...]
    manual: Documentation
    assets: Assets
    pages: Pages
    #: Current time in unix seconds.
    clock: Callable[[], float] = time.time
    #: Values computed once, by name.
    cache: dict[str, Any] = field(default_factory=dict)


def build(
    settings: Settings, database: Database, board: Board, *, clock: Callable[[], float] = time.time
) -> Site:
    """Load everything that pages need. Raises msgspec.ValidationError."""
    assets = Assets()
    pages = Pages(assets, version=__version__, base_url=settings.base_url)
    return Site(
        settings,
        database,
        board,
        catalogue.load(settings.catalogue_dir),
        plans.load(settings.plans_file),
        rates.load(),
        Documentation(Library.here(settings.base_url)),
        assets,
        pages,
        clock,
    )

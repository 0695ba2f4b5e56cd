"""The website: public pages, documentation, dashboard and operator console."""

"""The web side: public pages, documentation, and what signed-in developers see."""

"""Training and evaluation of `tiny-sight`; README.md has the instructions."""

"""How `tiny-sight` is trained and measured; README.md tells how to run it."""

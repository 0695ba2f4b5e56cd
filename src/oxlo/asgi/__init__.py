"""What the Starlette applications of control and of the media process stand on."""

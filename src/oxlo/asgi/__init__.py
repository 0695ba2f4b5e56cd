"""Shared by the Starlette applications of control and the media process."""

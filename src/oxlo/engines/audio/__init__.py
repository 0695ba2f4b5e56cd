"""Decoding and encoding audio with PyAV, which includes FFmpeg's libraries."""

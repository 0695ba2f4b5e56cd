"""Recordings in and out: read and written with PyAV, which brings FFmpeg's libraries along."""

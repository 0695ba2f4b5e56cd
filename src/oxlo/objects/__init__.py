"""Stored files, in a folder or cloud bucket, with links that expire."""

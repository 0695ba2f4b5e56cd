"""What processes share whose work is done in threads: engines of ours, and the media process.

Configuration in, address out, HTTP between. An engine speaks OpenAI's API on a private port, so a
gateway treats it like any other.
"""

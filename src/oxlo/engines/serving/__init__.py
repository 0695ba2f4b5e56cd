"""What every engine process of ours shares: configuration in, address out, HTTP between.

An engine speaks OpenAI's API on a private port, so a gateway treats it like any other.
"""

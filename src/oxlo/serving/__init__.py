"""HTTP serving shared by our own engines and the media process, whose work runs in threads.

A process reads its configuration from stdin, reports its address on stdout and serves HTTP. Engines
speak OpenAI's API on a private port, so the gateway treats them like any other backend.
"""

"""What requests look like: msgspec Structs and what can be read off them.

They are modules of their own because the code that works on them is compiled, and a Struct that is
compiled loses its options (docs/decisions/0005).
"""

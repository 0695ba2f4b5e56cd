"""What engines are sent and what they say: msgspec Structs.

They are modules of their own because the code that works on them is compiled, and a Struct that is
compiled loses its options (docs/decisions/0005).
"""

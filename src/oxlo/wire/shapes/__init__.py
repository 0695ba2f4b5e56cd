"""Request types, as msgspec Structs.

They are separate modules because the code that uses them is compiled, and a compiled Struct loses
its options (docs/decisions/0005).
"""

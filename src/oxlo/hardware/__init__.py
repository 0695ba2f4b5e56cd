"""The machine that engines run on: its cores, memory and GPUs, and how engines share them."""

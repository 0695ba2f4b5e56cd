"""The machine that engines run on: its cores, memory and cards, and how they are shared."""

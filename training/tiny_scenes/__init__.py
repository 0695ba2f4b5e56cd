"""The text-to-image model `tiny-scenes`: drawn scenes, training on them, and measuring it."""

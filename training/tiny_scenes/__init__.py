"""The text-to-image model `tiny-scenes`: synthetic scenes, training and evaluation."""

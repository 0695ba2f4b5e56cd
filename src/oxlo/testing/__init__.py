"""Shipped fakes of outside things, for our own tests and for those of operators."""

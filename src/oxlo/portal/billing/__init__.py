"""Plans and payments of the signed-in account."""

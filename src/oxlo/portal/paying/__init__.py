"""Plans as their accounts see them: which one, which others, what was paid."""

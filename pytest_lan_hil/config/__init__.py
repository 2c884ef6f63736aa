"""Boards and benches: typed models, validation with file, line and the fix, JSON schema."""

"""Schema versions of the store, one file in `versions` for each; Alembic applies them."""

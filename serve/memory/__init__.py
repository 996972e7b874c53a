"""Remember readings, events, predictions and keys in SQLite or PostgreSQL."""

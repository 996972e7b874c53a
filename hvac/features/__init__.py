"""Windows to statistics, context and embeddings."""

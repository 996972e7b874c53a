"""What an update reads and writes: risks with what became of them, bent and steered bundles."""

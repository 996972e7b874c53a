"""What an update reads, fits and writes: risks with what became of them, candidates, challengers."""

"""What a look at a record tells before any training: what was read, what is wrong, what to expect."""

"""Read and write the panel's buckets and the table of windows."""

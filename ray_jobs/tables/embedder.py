"""The encoder in Ray's processes: as an actor of its own, or shared by the tasks of a process.

It stands in no job's module: what a job keeps in memory is not found again in the processes of a
job that was started as `python -m`.
"""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
import ray

from hvac.features.encoder import EncoderConfig, load_encoder


def embed(
    block: pa.Table, stamp: str, config: EncoderConfig, lookback: int
) -> pa.Table:
    """Embed a block in a task."""
    return _embedder(stamp, config, lookback)(block)


@lru_cache(maxsize=1)
def _embedder(stamp: str, config: EncoderConfig, lookback: int) -> Embedder:
    """Load the encoder, once in each of Ray's processes and again where `stamp`, its weights', has
    changed.
    """
    return Embedder(config, lookback)


class Embedder:
    """The encoder, loaded once, which adds embeddings to a block of windows."""

    def __init__(self, config: EncoderConfig, lookback: int) -> None:
        import torch

        torch.set_num_threads(1)
        self.lookback = lookback
        device = "cuda" if torch.cuda.is_available() and ray.get_gpu_ids() else "cpu"
        self.encoder = load_encoder(config.replace(device=device))

    def __call__(self, block: pa.Table) -> pa.Table:
        """Embed every series of a block, whatever number of points its rows have."""
        if not block.num_rows:
            return block
        values = block["values"].combine_chunks()
        series_NL = (
            values.flatten()
            .to_numpy(zero_copy_only=False)
            .reshape(-1, 1, self.lookback)
        )
        flat = pa.array(self.encoder.embed(series_NL).ravel())
        offsets = pc.multiply(
            pc.divide(_offsets(values), self.lookback), self.encoder.dim
        )
        lists = pa.ListArray.from_arrays(offsets.cast(pa.int32()), flat)
        return block.append_column("embedding", lists)


def _offsets(column: pa.ListArray) -> pa.Array:
    """Return list offsets that start at 0, whatever slice the column is."""
    return pc.subtract(column.offsets, column.offsets[0])

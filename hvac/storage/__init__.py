"""Read and write files and folders by local path or URL, by the same calls.

`place` makes a path of a text: a `pathlib.Path` where it is local, a `Place` where it is a URL
(`s3://`, `gs://`, `file://`, whatever else pyarrow or fsspec know). Whatever is written appears
whole or not at all: locally by a rename, on an object store because an object appears when its
upload ends; of a folder, the file that says "whole" is uploaded last.
"""

from hvac.filesystems import unreadable
from hvac.storage.content_keys import content_key
from hvac.storage.folders import local_folder, remove_tree, replacing_folder
from hvac.storage.hashes import file_sha256, name_hash
from hvac.storage.paths import (
    AnyPath,
    Location,
    as_given,
    folder_name,
    matching,
    open_filesystem,
    place,
)
from hvac.storage.places import Place
from hvac.storage.tables import (
    parquet_dataset,
    read_parquet,
    repeating_columns,
    write_parquet,
)
from hvac.storage.writing import (
    read_mark,
    remove_leftovers,
    replacing,
    write_json,
    write_text,
    writing,
)

__all__ = [
    "AnyPath",
    "Location",
    "Place",
    "as_given",
    "content_key",
    "file_sha256",
    "folder_name",
    "local_folder",
    "matching",
    "name_hash",
    "open_filesystem",
    "parquet_dataset",
    "place",
    "read_mark",
    "read_parquet",
    "remove_leftovers",
    "remove_tree",
    "repeating_columns",
    "replacing",
    "replacing_folder",
    "unreadable",
    "write_json",
    "write_parquet",
    "write_text",
    "writing",
]

"""The project folder on disk; no other package knows its layout.

    project.db              SQLite: all that is known of images, labels and runs
    images/ab/<sha256>.png  the bytes that came in, never changed; the same image twice is one file
    masks/ab/<sha256>.png   index PNGs of class ids, written before the row that names them
    thumbnails/             can always be made again
    runs/<id>/              what one training run wrote, and predictions/<image id>.npz

Nothing in a file's path comes from a name: only hashes, ids and checked suffixes do.
"""

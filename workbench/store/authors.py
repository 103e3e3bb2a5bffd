"""Who labels."""

import getpass
import os


def find_author() -> str | None:
    """Return who labels, by the name of the user of this machine; None where there is none."""
    try:
        return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container whose user has no name
        return None

"""One script from several: a widget's browser code is one text, its files are ES modules."""

import re
from collections import Counter
from pathlib import Path

IMPORT = re.compile(r"^import\s[^;]*?;\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class)\b)", re.MULTILINE)
TOP_LEVEL = re.compile(
    r"^(?:export )?(?:async )?(?:function\*?|const|let|class)\s+(\w+)", re.MULTILINE
)


def join_scripts(*paths: Path) -> str:
    """Return the modules as one, in that order: imports between them and the word export dropped.

    Every name at the top level must be there once over all files. Raises ValueError otherwise.
    """
    texts = [path.read_text(encoding="utf-8") for path in paths]
    counts = Counter(name for text in texts for name in TOP_LEVEL.findall(text))
    doubles = sorted(name for name, count in counts.items() if count > 1)
    if doubles:
        raise ValueError(f"{', '.join(doubles)}: defined in more than one of the joined scripts.")
    return "\n".join(EXPORT.sub("", IMPORT.sub("", text)) for text in texts)

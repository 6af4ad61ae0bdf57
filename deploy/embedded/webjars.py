"""Browser assets: WebJars fetched like Kafka's jars, each checked against its committed SHA-256, and unpacked.

python -m deploy.embedded.webjars FOLDER
"""

import sys
import zipfile
from pathlib import Path

from deploy.embedded import jars
from deploy.embedded.state import make_folder

LOCK_FILE = Path(__file__).with_name("web.lock")

FILES = {"htmx.org": ("dist/htmx.min.js",), "htmx-ext-sse": ("sse.js",)}
"""What the pages use of each WebJar. (The SSE extension inside htmx.org is the one for htmx 1.)"""


def ensure(cache: Path, folder: Path) -> Path:
    """Put the assets into ``folder``, whose other content goes. Blocking. Raises StackError as `jars.ensure`."""
    locked = jars.locked(LOCK_FILE)
    make_folder(folder, 0o755)
    wanted: dict[str, bytes] = {}
    for jar, path in zip(locked, jars.ensure(cache, locked), strict=True):
        with zipfile.ZipFile(path) as archive:
            for name in FILES[jar.artifact]:
                inside = f"META-INF/resources/webjars/{jar.artifact}/{jar.version}/{name}"
                wanted[Path(name).name] = archive.read(inside)
    for old in folder.iterdir():
        if old.name not in wanted:
            old.unlink()
    for name, content in wanted.items():
        (folder / name).write_bytes(content)
    return folder


if __name__ == "__main__":
    ensure(jars.cache_folder(), Path(sys.argv[1]))

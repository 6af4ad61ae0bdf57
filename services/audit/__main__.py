"""``python -m services.audit``: run the service until a signal."""

from services.audit.app import service
from services.audit.settings import Settings
from services.runtime import settings
from services.runtime.process import run

if __name__ == "__main__":
    loaded = settings.load(Settings)
    run("audit", lambda: service(loaded))

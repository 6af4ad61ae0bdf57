"""``python -m services.notifications``: run the service until a signal."""

from services.notifications.app import service
from services.notifications.settings import Settings
from services.runtime import settings
from services.runtime.process import run

if __name__ == "__main__":
    loaded = settings.load(Settings)
    run("notifications", lambda: service(loaded))

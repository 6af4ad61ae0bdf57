"""`python -m deploy.status`: the page as a process of its own; settings are environment variables."""

from deploy.status.app import service
from deploy.status.settings import Settings
from services.runtime import process, settings

if __name__ == "__main__":
    loaded = settings.load(Settings)
    process.run("status", lambda: service(loaded))

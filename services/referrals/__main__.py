"""``python -m services.referrals``: run the service until a signal."""

from services.referrals.app import service
from services.referrals.settings import Settings
from services.runtime import settings
from services.runtime.process import run

if __name__ == "__main__":
    loaded = settings.load(Settings)
    run("referrals", lambda: service(loaded))

"""``python -m services.referrals``: run the service until a signal."""

from services.referrals.app import service
from services.runtime import settings
from services.runtime.process import run

if __name__ == "__main__":
    loaded = settings.load(settings.Settings)
    run("referrals", lambda: service(loaded))

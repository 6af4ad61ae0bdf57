"""Prometheus is told every process, workers included."""

from deploy.status.targets import targets


def test_every_process_is_a_target_with_a_job_of_its_own() -> None:
    found = targets({"referrals": "http://127.0.0.1:19001", "referrals-2": "http://127.0.0.1:19032"})
    assert found == [
        {"targets": ["127.0.0.1:19001"], "labels": {"job": "ruta-referrals"}},
        {"targets": ["127.0.0.1:19032"], "labels": {"job": "ruta-referrals-2"}},
    ]

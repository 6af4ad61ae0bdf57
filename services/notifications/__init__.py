"""Alerts people at institutions: inbox and e-mail, one notice per (fact, recipient, channel), with receipts."""

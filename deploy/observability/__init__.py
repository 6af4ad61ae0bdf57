"""Dashboards, alert rules and the dictionary of metrics, as code; the files beside it are written from it."""

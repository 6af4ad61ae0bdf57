"""Tracks every referral's state across institutions and tells the parties."""

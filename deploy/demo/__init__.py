"""Institutions that publish realistic flows: for demonstrations, and as the main job that can be checked."""

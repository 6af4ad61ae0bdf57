"""Tests of the benchmark, and the plain system that it compares Ruta with."""

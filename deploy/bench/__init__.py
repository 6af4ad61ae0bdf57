"""How fast Ruta is, as ratios within one run: against what the database could store, and against a plain design."""

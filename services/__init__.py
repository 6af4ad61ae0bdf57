"""The three services of Ruta and the library they share."""

"""How a notice leaves Ruta: one module per channel."""

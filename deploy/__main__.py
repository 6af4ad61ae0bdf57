"""`python -m deploy`: what the `ruta` script runs."""

from deploy.cli import main

main()

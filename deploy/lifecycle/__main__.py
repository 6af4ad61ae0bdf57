"""`python -m deploy.lifecycle`: writes the table into the README and the diagram beside its pictures."""

from deploy.embedded.state import CHECKOUT
from deploy.lifecycle import published

published.write(CHECKOUT)

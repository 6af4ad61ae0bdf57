"""The life cycle as people read it: a table, a diagram and every single answer, all asked of the code that decides."""

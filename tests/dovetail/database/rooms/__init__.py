"""An app whose migrations a test applies while others use its table."""

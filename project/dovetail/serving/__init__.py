"""The web server of `manage.py serve`: Granian, with what it does not do itself."""

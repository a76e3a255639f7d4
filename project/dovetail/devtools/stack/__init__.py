"""The stack that `manage.py up` runs: services, front end, web server and worker."""

"""The kit. An upgrade replaces this folder whole, so put your own code in `apps`.

It imports neither `apps` nor `config`, and reads names and choices from `django.conf.settings`.
Each part says in its docstring what it gives and how to use it.
"""

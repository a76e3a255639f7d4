"""The kit. An upgrade replaces this folder whole, so put your own code in `apps`.

It imports neither `apps` nor `config`, and is configured through `django.conf.settings`. Each
part's docstring says what it provides and how to use it.
"""

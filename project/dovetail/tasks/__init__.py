"""Background work: the base class of all tasks, and the outbox for those that must not be lost.

docs/tasks.md says when to use which.
"""

"""Changes that appear in every open browser at once, in the protocol of Rails' ActionCable.

Own code because no package for Django speaks the protocol whole: those that exist ignore rejected
subscriptions, actions or origins, or leave a slow reader's messages to pile up. docs/realtime.md
tells how the parts work together.
"""

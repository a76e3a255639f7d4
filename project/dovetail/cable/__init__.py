"""Real-time updates for open pages over one WebSocket, in the protocol of Rails' ActionCable.

Wrap the ASGI application in `with_cable`, and send JSON to everyone who follows a stream:

    broadcast("scores", match, message={"home": 2})  # dovetail.cable.broadcasting

`dovetail.turbo` broadcasts HTML on top of it, and docs/realtime.md explains the parts. Own code
because no Django package implements the whole protocol: those that exist ignore rejections, actions
or origins, or let messages for a slow reader pile up.
"""

"""The terminal channel: local clients that hold the token file, over the gateway's WebSocket."""

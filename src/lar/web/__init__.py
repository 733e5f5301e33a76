"""HTTP and WebSocket. Thin: holds no rules."""

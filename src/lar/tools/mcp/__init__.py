"""MCP servers: programs and addresses that the owner lets give tools. The library is imported on first use."""

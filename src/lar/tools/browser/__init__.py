"""The browser: one for each person and conversation, behind walls, with no way out but a guarded one."""

"""When: reminders, cron, heartbeat, system events, runbooks."""

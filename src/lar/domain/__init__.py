"""The vocabulary: frozen records, ids and enums. No I/O, no asyncio, no imports of ours outside this room."""

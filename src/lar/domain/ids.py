"""Ids. Integers given by the database; the new types keep them apart."""

from typing import NewType

PrincipalId = NewType("PrincipalId", int)
ConversationId = NewType("ConversationId", int)
MessageId = NewType("MessageId", int)
TurnId = NewType("TurnId", int)
JobId = NewType("JobId", int)
DeliveryId = NewType("DeliveryId", int)
NoteId = NewType("NoteId", int)
QuestionId = NewType("QuestionId", int)
MemoryId = NewType("MemoryId", int)
ScheduleId = NewType("ScheduleId", int)
FiringId = NewType("FiringId", int)

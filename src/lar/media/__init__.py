"""Images, audio, documents, transcription and cameras: what people and machines show each other besides text."""

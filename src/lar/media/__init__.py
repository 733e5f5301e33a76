"""Images, audio and cameras: what people and machines show each other besides text."""

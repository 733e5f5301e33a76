"""What can be set about images, audio and documents."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lar.domain.bytesize import ByteSize

_FROZEN = ConfigDict(frozen=True, extra="ignore")


class TranscriptionSettings(BaseModel):
    """What turns speech into text."""

    model_config = _FROZEN

    backend: Literal["auto", "faster-whisper", "whisper-cli", "api", "off"] = Field(
        default="auto",
        description="What transcribes: the API of `models.transcription`, or a program here; `auto`: the API where "
        "there is a key for it, else faster-whisper, else whisper-cli.",
    )
    whisper_model: str = Field(
        default="small", description="Model of faster-whisper: a name, which it downloads once, or a folder."
    )
    whisper_cli: str = Field(default="whisper-cli", description="The program of whisper.cpp.")
    whisper_cli_model: str = Field(default="", description="Its model file, such as `/models/ggml-small.bin`.")
    language: str = Field(default="", description="Language that is spoken, such as `es`; empty: it is recognised.")
    timeout_seconds: float = Field(default=300.0, gt=0, description="Longest time one recording may take, in seconds.")
    notice_seconds: float = Field(
        default=10.0, ge=0, description="Seconds after which a notice says that it takes longer; 0: none."
    )


class SpeechSettings(BaseModel):
    """What speaks answers, where somebody wants to hear them."""

    model_config = _FROZEN

    backend: Literal["auto", "espeak-ng", "api", "off"] = Field(
        default="auto",
        description="What speaks: the program here, or a provider's API; `auto` takes the first that is there.",
    )
    always: bool = Field(default=False, description="Speak answers wherever nobody wrote `/voice off`.")
    espeak: str = Field(default="espeak-ng", description="The program that speaks.")
    voice: str = Field(
        default="",
        description="Voice of the program, such as `es` or `en-gb`, or of the API, such as `alloy`; empty: that of the "
        "person's language, or the usual one.",
    )
    max_chars: int = Field(
        default=1500, ge=50, le=4000, description="How much of an answer is spoken at most, in characters."
    )
    timeout_seconds: float = Field(default=60.0, gt=0, description="Longest time one answer may take, in seconds.")


class MediaSettings(BaseModel):
    """Files that people send: what a model gets of them."""

    model_config = _FROZEN

    max_items: int = Field(default=4, ge=1, description="Images and documents of one turn that are looked at.")
    max_image_bytes: ByteSize = Field(
        default=5_000_000,
        ge=100_000,
        validate_default=True,
        description="Largest image a model gets; a larger one is scaled down.",
    )
    max_image_side: int = Field(default=2048, ge=256, description="Longest side of such an image, in pixels.")
    max_audio_bytes: ByteSize = Field(
        default=15_000_000, gt=0, validate_default=True, description="Largest recording that is listened to."
    )
    max_document_bytes: ByteSize = Field(
        default=20_000_000, gt=0, validate_default=True, description="Largest document that is read."
    )
    document_chars: int = Field(
        default=20_000,
        ge=500,
        description="How much of a document's text a prompt shows, in characters; `read_file` gives the rest.",
    )
    audio: Literal["auto", "transcribe", "native"] = Field(
        default="auto",
        description="What a model gets of a recording: its transcript, or the sound itself if it takes that; `auto`: "
        "the transcript if there is anything to transcribe with.",
    )
    documents: Literal["auto", "text"] = Field(
        default="auto",
        description="What a model gets of a PDF: its text, or `auto`: the file itself if it takes that.",
    )
    ffmpeg: str = Field(default="ffmpeg", description="The program that converts audio.")
    transcription: TranscriptionSettings = Field(
        default_factory=TranscriptionSettings, description="What turns speech into text."
    )
    speech: SpeechSettings = Field(default_factory=SpeechSettings, description="What speaks answers.")

"""Sentences are counted as people count them, and made to be just so many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lar.memory.sentences import LONGEST, NOTHING, cut, exactly, one_line, split, wrong


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("Ann has a dog.", ["Ann has a dog."]),
        ("Ann has a dog", ["Ann has a dog"]),
        ("Ann has a dog. Bob has none!", ["Ann has a dog.", "Bob has none!"]),
        ("- Ann has a dog.\n- Bob has none.", ["Ann has a dog.", "Bob has none."]),
        ("1. Ann has a dog.\n2) Bob has none", ["Ann has a dog.", "Bob has none"]),
        (
            "Dr. Smith, e.g. J. Smith, came at 3.30 p.m. and left.",
            ["Dr. Smith, e.g. J. Smith, came at 3.30 p.m. and left."],
        ),
        ("She reads example.org. He does not.", ["She reads example.org.", "He does not."]),
        ("She said “Go!” He went… and came back.", ["She said “Go!”", "He went… and came back."]),
        ("¿Qué quiere la Sra. Ruiz? Un perro.", ["¿Qué quiere la Sra. Ruiz?", "Un perro."]),
        ("安有一只狗。鲍勃没有。", ["安有一只狗。", "鲍勃没有。"]),
        ("Really?! Yes.", ["Really?!", "Yes."]),
        ("...", ["..."]),
        ("Done. --", ["Done."]),
    ],
)
def test_where_sentences_end(text: str, sentences: list[str] | str) -> None:
    """R-ME-4: abbreviations, numbers, addresses and quotes end no sentence; lines, marks and wide stops do."""
    assert split(text) == ([sentences] if isinstance(sentences, str) else sentences)


def test_what_is_wrong_is_said() -> None:
    """R-ME-4: a model is told what to do better."""
    assert wrong(["A."], 1) == ""
    assert wrong(["A.", "B."], 1) == "You wrote 2 sentences."
    assert "longer" in wrong(["A" * (LONGEST + 1)], 1)


@pytest.mark.parametrize(
    ("sentences", "count", "made"),
    [
        (["A b.", "C d.", "E f g h."], 2, ("A b; C d.", "E f g h.")),
        (["A b."], 2, ("A b.", NOTHING)),
        ([], 1, (NOTHING,)),
        (["Ann has a small dog, and Bob has a large cat."], 2, ("Ann has a small dog.", "And Bob has a large cat.")),
        (["A cat. A dog."], 1, ("A cat; A dog.",)),
    ],
)
def test_what_a_model_did_not_do(sentences: list[str], count: int, made: tuple[str, ...]) -> None:
    """R-ME-4: what is too much is joined, what is too long is parted, what is missing says so."""
    assert exactly(sentences, count) == made


@given(st.lists(st.text(max_size=400), max_size=12), st.integers(1, 4))
def test_there_are_always_so_many(sentences: list[str], count: int) -> None:
    """R-ME-4: exactly so many sentences of at most that length, whatever there was, and always the same."""
    made = exactly(sentences, count)
    assert len(made) == count
    assert all(sentence.strip() and len(sentence) <= LONGEST for sentence in made)
    assert exactly(sentences, count) == made


def test_a_sentence_is_cut_between_words() -> None:
    """R-ME-3: a sentence that is too long ends at a word."""
    assert cut("one two three", 9) == "one two…"
    assert one_line("One. Two! Three?") == "One; Two; Three?"

"""What people write of times: understood with an absolute time, asked about, or refused; never guessed."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from lar.domain.schedule import Cron, Every, Once
from lar.errors import ScheduleError
from lar.schedules.reading import Unsure
from lar.schedules.rules import next_due
from lar.schedules.telling import moment_of, rule_of
from lar.schedules.words import ALARM, understand, understand_when

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 10, 20, tzinfo=BERLIN).timestamp()
"""A Wednesday."""

UNDERSTOOD = [
    ("Remind me in 30 minutes to check my email.", "check my email", "2026-11-25 10:50", "once"),
    (
        "At 7:00 AM tomorrow, ask me for my daily priorities.",
        "ask me for my daily priorities",
        "2026-11-26 07:00",
        "once",
    ),
    ("Every day at 9 AM, remind me to send standup.", "send standup", "2026-11-26 09:00", "every day at 09:00"),
    ("remind me tomorrow at 7 to call Ana", "call Ana", "2026-11-26 07:00", "once"),
    ("every weekday at 9 remind me to write", "write", "2026-11-26 09:00", "every weekday (Monday to Friday) at 09:00"),
    ("remind me to water the plants in 2 hours", "water the plants", "2026-11-25 12:20", "once"),
    ("remind me in an hour and a half to take the cake out", "take the cake out", "2026-11-25 11:50", "once"),
    ("remind me in half an hour to move the car", "move the car", "2026-11-25 10:50", "once"),
    ("remind me in a quarter of an hour that tea is ready", "tea is ready", "2026-11-25 10:35", "once"),
    ("remind me in a couple of hours to look again", "look again", "2026-11-25 12:20", "once"),
    ("remind me in 2 hours and 15 minutes to leave", "leave", "2026-11-25 12:35", "once"),
    ("remind me in 1h30 to turn it", "turn it", "2026-11-25 11:50", "once"),
    ("remind me in 90s to turn it", "turn it", "2026-11-25 10:21:30", "once"),
    ("remind me twenty minutes from now to check the oven", "check the oven", "2026-11-25 10:40", "once"),
    ("remind me in 1.5 hours to eat", "eat", "2026-11-25 11:50", "once"),
    ("remind me to call mom at 6pm", "call mom", "2026-11-25 18:00", "once"),
    ("remind me at 6 p.m. to call mom", "call mom", "2026-11-25 18:00", "once"),
    (
        "remind me to call Bob about the meeting tomorrow at 14:00",
        "call Bob about the meeting",
        "2026-11-26 14:00",
        "once",
    ),
    ("remind me tomorrow to call Bob at 17:30", "call Bob", "2026-11-26 17:30", "once"),
    ("remind me at 11 to join the call", "join the call", "2026-11-25 11:00", "once"),
    ("remind me at 12 to eat", "eat", "2026-11-25 12:00", "once"),
    ("remind me at 18.30 to eat", "eat", "2026-11-25 18:30", "once"),
    ("remind me tonight to lock the door", "lock the door", "2026-11-25 20:00", "once"),
    ("remind me this evening to lock the door", "lock the door", "2026-11-25 19:00", "once"),
    ("remind me tonight at 9 to lock the door", "lock the door", "2026-11-25 21:00", "once"),
    ("remind me tomorrow morning to buy bread", "buy bread", "2026-11-26 09:00", "once"),
    ("remind me tomorrow to buy bread", "buy bread", "2026-11-26 09:00", "once"),
    ("remind me the day after tomorrow at 10 to pay", "pay", "2026-11-27 10:00", "once"),
    ("remind me on Friday at noon to call the bank", "call the bank", "2026-11-27 12:00", "once"),
    ("remind me friday the 27th at 9:00 to go", "go", "2026-11-27 09:00", "once"),
    ("remind me on Friday, 27 November at 9:00 to go", "go", "2026-11-27 09:00", "once"),
    ("remind me on Wednesday at 9:00 to run", "run", "2026-12-02 09:00", "once"),
    ("remind me on Wednesday at 18:00 to run", "run", "2026-11-25 18:00", "once"),
    ("remind me next Wednesday at 18:00 to run", "run", "2026-12-02 18:00", "once"),
    ("remind me next Tuesday at 9:00 to call the bank", "call the bank", "2026-12-01 09:00", "once"),
    ("remind me on march 3rd at 14:00 to renew it", "renew it", "2027-03-03 14:00", "once"),
    ("remind me on 3 March 2027 to renew it", "renew it", "2027-03-03 09:00", "once"),
    ("remind me about dad's birthday on may 4", "dad's birthday", "2027-05-04 09:00", "once"),
    ("remind me on february 29 to jump", "jump", "2028-02-29 09:00", "once"),
    ("remind me on 2027-01-05 at 09:30 to file taxes", "file taxes", "2027-01-05 09:30", "once"),
    ("remind me 2027-01-05 08:15 to file taxes", "file taxes", "2027-01-05 08:15", "once"),
    ("remind me on 12.12.2026 at 18:00 to buy presents", "buy presents", "2026-12-12 18:00", "once"),
    ("remind me on 25/12 at 10:00 to call grandma", "call grandma", "2026-12-25 10:00", "once"),
    ("remind me on 12/25/2026 at 10:00 to call grandma", "call grandma", "2026-12-25 10:00", "once"),
    ("remind me on the 15th to pay rent", "pay rent", "2026-12-15 09:00", "once"),
    ("remind me on the 31st at 8:00 to pay rent", "pay rent", "2026-12-31 08:00", "once"),
    ("remind me at the end of this month to pay rent", "pay rent", "2026-11-30 09:00", "once"),
    ("remind me in 3 days at 7:30 to check it", "check it", "2026-11-28 07:30", "once"),
    ("remind me in 2 weeks to renew the domain", "renew the domain", "2026-12-09 10:20", "once"),
    ("remind me in 3 months to see the dentist", "see the dentist", "2027-02-25 10:20", "once"),
    ("remind me at half past 5 pm to leave", "leave", "2026-11-25 17:30", "once"),
    ("remind me at 8 in the evening to call", "call", "2026-11-25 20:00", "once"),
    ("remind me tomorrow at 9 in the morning to call", "call", "2026-11-26 09:00", "once"),
    ("remind me tomorrow at 12 in the afternoon to call", "call", "2026-11-26 12:00", "once"),
    ("remind me tomorrow at 2 at night to feed the baby", "feed the baby", "2026-11-26 02:00", "once"),
    ("remind me at midnight to celebrate", "celebrate", "2026-11-26 00:00", "once"),
    ("remind me at 9:00 America/New_York time to call the office", "call the office", "2026-11-25 15:00", "once"),
    ("remind me tomorrow at 9:00 UTC to call", "call", "2026-11-26 10:00", "once"),
    ("remind me of the 5 o'clock meeting at 16:45", "the 5 o'clock meeting", "2026-11-25 16:45", "once"),
    ("remind me to pay 30 euros to Tom at 17:15", "pay 30 euros to Tom", "2026-11-25 17:15", "once"),
    ("remind me in 30 minutes that the call starts at 11:00", "the call starts at 11:00", "2026-11-25 10:50", "once"),
    ("wake me at 6:30", ALARM, "2026-11-26 06:30", "once"),
    ("wake me up tomorrow at 7", ALARM, "2026-11-26 07:00", "once"),
    ("set an alarm for 6:45 am", ALARM, "2026-11-26 06:45", "once"),
    ("set a reminder for tomorrow at 15:00: dentist", "dentist", "2026-11-26 15:00", "once"),
    ("don’t let me forget the milk at 17:00", "the milk", "2026-11-25 17:00", "once"),  # noqa: RUF001  # typed so
    ("could you please remind me to stretch in 10 minutes, please?", "stretch", "2026-11-25 10:30", "once"),
    ("remind me every 2 hours to drink water", "drink water", "2026-11-25 12:20", "every 2 h"),
    ("remind me hourly to drink water", "drink water", "2026-11-25 11:20", "every 1 h"),
    ("remind me every 45 minutes to stand up 5 times", "stand up", "2026-11-25 11:05", "every 45 min, 5 more times"),
    ("remind me every hour at 11:15 to drink", "drink", "2026-11-25 11:15", "every 1 h"),
    ("remind me every morning to meditate", "meditate", "2026-11-26 09:00", "every day at 09:00"),
    ("remind me every evening at 8 to read", "read", "2026-11-25 20:00", "every day at 20:00"),
    ("remind me daily at 21:00 twice to take it", "take it", "2026-11-25 21:00", "every day at 21:00, 2 more times"),
    ("remind me weekly at 9:00 to plan", "plan", "2026-12-02 09:00", "every 7 days at 09:00"),
    ("remind me every monday and thursday at 18:30 to go", "go", "2026-11-26 18:30", "every Monday, Thursday at 18:30"),
    ("remind me on mondays at 18:30 to go", "go", "2026-11-30 18:30", "every Monday at 18:30"),
    ("remind me on weekends at 10:00 to water it", "water it", "2026-11-28 10:00", "every Sunday, Saturday at 10:00"),
    ("remind me every other day at 8am to run", "run", "2026-11-26 08:00", "every 2 days at 08:00"),
    ("remind me every other day at 11am to run", "run", "2026-11-25 11:00", "every 2 days at 11:00"),
    ("remind me every 3 days at 8:00 to run", "run", "2026-11-26 08:00", "every 3 days at 08:00"),
    ("remind me every 2 weeks at 9:00 to back up", "back up", "2026-12-09 09:00", "every 14 days at 09:00"),
    ("remind me every other week at 9:00 to back up", "back up", "2026-12-09 09:00", "every 14 days at 09:00"),
    ("remind me every other Friday at 16:00 to pay", "pay", "2026-11-27 16:00", "every 14 days at 16:00"),
    ("remind me every month on the 1st at 8:00 to pay", "pay", "2026-12-01 08:00", "on day 1 of each month at 08:00"),
    ("remind me on the 5th of every month to pay", "pay", "2026-12-05 09:00", "on day 5 of each month at 09:00"),
    ("remind me monthly at 8:00 to pay", "pay", "2026-12-25 08:00", "by the cron line 0 8 25 */1 *"),
    (
        "remind me on the last Friday of every month at 17:00 to send invoices",
        "send invoices",
        "2026-11-27 17:00",
        "on the last Friday of each month at 17:00",
    ),
    ("remind me on the first monday of each month to pay", "pay", "2026-12-07 09:00", "by the cron line 0 9 * * 1#1"),
    ("remind me on the last weekday of every month to pay", "pay", "2026-11-30 09:00", "by the cron line 0 9 LW * *"),
    (
        "remind me on the last day of every month to pay",
        "pay",
        "2026-11-30 09:00",
        "on the last day of each month at 09:00",
    ),
    ("remind me the first day of every month to pay", "pay", "2026-12-01 09:00", "on day 1 of each month at 09:00"),
    ("remind me every year on june 7 to call Eva", "call Eva", "2027-06-07 09:00", "by the cron line 0 9 7 6 *"),
    ("remind me yearly at 8:00 to pay", "pay", "2027-11-25 08:00", "by the cron line 0 8 25 11 *"),
    (
        "remind me every hour from 9 to 17 on weekdays to stretch",
        "stretch",
        "2026-11-25 11:00",
        "by the cron line 0 9-17 * * 1-5",
    ),
    (
        "remind me every 2 hours between 8 and 20 to drink",
        "drink",
        "2026-11-25 12:00",
        "by the cron line 0 8-20/2 * * *",
    ),
    (
        "remind me every 30 minutes from 9 to 17 to drink",
        "drink",
        "2026-11-25 10:30",
        "by the cron line */30 9-16 * * *",
    ),
    (
        "remind me daily at 21:00 for 3 weeks to take the pill",
        "take the pill",
        "2026-11-25 21:00",
        "every day at 21:00, until Wednesday, 2026-12-16 10:20 (Europe/Berlin)",
    ),
    (
        "remind me every day at 9:00 to open the calendar until 2026-12-24",
        "open the calendar",
        "2026-11-26 09:00",
        "every day at 09:00, until Thursday, 2026-12-24 23:59 (Europe/Berlin)",
    ),
    (
        "remind me every 30 minutes until 18:00 to drink",
        "drink",
        "2026-11-25 10:50",
        "every 30 min, until Wednesday, 2026-11-25 18:00 (Europe/Berlin)",
    ),
    ("remind me @daily to look", "look", "2026-11-26 00:00", "every day at 00:00"),
    (
        "remind me cron: 0 9 * * MON-FRI to look",
        "look",
        "2026-11-26 09:00",
        "every weekday (Monday to Friday) at 09:00",
    ),
]

UNSURE = [
    ("remind me to buy milk", "When", 2),
    ("remind me soon to call Bob", "When", 2),
    ("remind me when I get home to call Bob", "When", 2),
    ("remind me on christmas to call", "When", 2),
    ("remind me every blue moon to smile", "When", 2),
    ("remind me in five to ten minutes to check", "When", 2),
    ("remind me tomorrow at 9:00", "What", 0),
    ("remind me at 7 to cook", "morning or in the afternoon", 2),
    ("remind me at 3 to stretch", "morning or in the afternoon", 2),
    ("remind me at quarter to 8 to leave", "morning or in the afternoon", 2),
    ("remind me tomorrow at 5 to go", "morning or in the afternoon", 2),
    ("remind me every day at 5 to run", "morning or in the afternoon", 2),
    ("remind me on mondays at 5 to run", "morning or in the afternoon", 2),
    ("remind me every other day at 5 to run", "morning or in the afternoon", 2),
    ("remind me every may 4 at 5 to run", "morning or in the afternoon", 2),
    ("remind me on weekends at 5 to run", "morning or in the afternoon", 2),
    ("remind me on weekdays at 5 to run", "morning or in the afternoon", 2),
    ("remind me hourly at 5 to run", "morning or in the afternoon", 2),
    ("remind me in 3 days at 5 to run", "morning or in the afternoon", 2),
    ("remind me next Friday at noon to call the bank", "Which one", 2),
    ("remind me thursday the 27th at 9:00 to go", "another weekday", 0),
    ("remind me on Thursday, 27 November at 9:00 to go", "another weekday", 0),
    ("remind me tomorrow, on Friday to go", "two days", 0),
    ("remind me tomorrow, on 3 March to go", "two days", 0),
    ("remind me on 5/3 at 10:00 to see the dentist", "day or the month", 2),
    ("remind me on the last Friday of the month to send invoices", "every month", 2),
    ("remind me on the 5th of the month to send invoices", "every month", 2),
    ("remind me at the end of the month to send invoices", "every month", 2),
    ("remind me on the 5th of next month to send invoices", "Which month", 0),
    ("remind me on the second weekday of every month to go", "Which day", 0),
    ("remind me next week to plan", "Which day", 2),
    ("remind me next month to plan", "Which day", 2),
    ("remind me next year to plan", "Which day", 2),
    ("remind me this weekend to rest", "Which day", 2),
    ("remind me every day to floss", "what time", 3),
    ("remind me on monday tuesday at 9:00 to run", "two times", 0),
    ("remind me tomorrow in 2 hours to eat", "how long", 0),
    ("remind me in 1.5 days to eat", "how long", 0),
    ("remind me in 2 hours at 15:00 to eat", "length of time, or at a time", 0),
    ("remind me to do A at 5pm and B at 6pm", "two times", 0),
    ("remind me at 17:00 to do A and at 18:00 to do B", "two things", 0),
    ("remind me every day, on weekdays at 9:00 to run", "two ways", 0),
    ("remind me tomorrow at 9:00 three times to run", "again and again", 0),
    ("remind me every 5 months at 9:00 to run", "how often", 0),
    ("remind me every 1 day and 2 hours at 9:00 to run", "how often", 0),
    ("remind me from 9 to 17 to run", "how often", 0),
    ("remind me every 7 minutes from 9 to 17 to run", "how often", 0),
    ("remind me every 90 minutes from 9 to 17 to run", "how often", 0),
    ("remind me every 2 hours until to run", "Until when", 0),
    ("remind me at 13 in the evening to go", "which time", 0),
    ("remind me tomorrow at 12 at night to call", "which time", 0),
    ("remind me tomorrow at midnight to call", "Before that day", 2),
    ("remind me today at midnight to call", "Before that day", 1),
    ("remind me tomorrow 27 to go", "left over", 0),
    ("remind me tomorrow at 10:00 to go to the party on", "left over", 0),
    ("some day, remind me to go", "do not understand", 0),
]

REFUSED = [
    ("remind me yesterday at 17:00 to call", "in the past"),
    ("remind me today at 9:00 to call", "in the past"),
    ("remind me this morning to call", "in the past"),
    ("remind me on 2020-01-01 at 10:00 to party", "in the past"),
    ("remind me on 30 February to celebrate", "no such day"),
    ("remind me on 2027-02-30 to celebrate", "no such day"),
    ("remind me on 31.02.2027 to celebrate", "no such day"),
    ("remind me on the 32nd to celebrate", "no such day"),
    ("remind me at 25:00 to sleep", "no such time"),
    ("remind me at 13pm to sleep", "no such time"),
    ("remind me on 2027-01-05 29:00 to sleep", "no such day"),
    ("remind me in 0 minutes to go", "that is now"),
    ("remind me every day at 9:00 until 2020-01-01 to go", "ends before it begins"),
    ("remind me at 9:00 mars/base time to go", "no time zone"),
    ("remind me cron: 99 9 * * * to look", "no cron line"),
]


@pytest.mark.parametrize(("sentence", "text", "when", "rule"), UNDERSTOOD)
def test_what_is_understood(sentence: str, text: str, when: str, rule: str) -> None:
    """R-SC-1: the usual sentences mean one text, one absolute time and one rule, which are said back."""
    found = understand(sentence, NOW, BERLIN)
    assert found.text == text
    assert moment_of("en", found.first, BERLIN).split(", ")[1] == f"{when} (Europe/Berlin)"
    assert rule_of("en", found.timing, BERLIN, found.left) == rule
    assert next_due(found.timing, BERLIN, NOW) == found.first


@pytest.mark.parametrize(("sentence", "question", "options"), UNSURE)
def test_what_is_asked_about(sentence: str, question: str, options: int) -> None:
    """R-SC-1: what may mean several things is asked about; every option that is offered is itself understood."""
    with pytest.raises(Unsure, match=question) as unsure:
        understand(sentence, NOW, BERLIN)
    assert len(unsure.value.options) == options
    for option in unsure.value.options:
        assert understand_when(option, NOW, BERLIN).first > NOW


@pytest.mark.parametrize(("sentence", "why"), REFUSED)
def test_what_is_refused(sentence: str, why: str) -> None:
    """R-SC-1: what is past or does not exist is refused with a sentence."""
    with pytest.raises(ScheduleError, match=why):
        understand(sentence, NOW, BERLIN)


def test_enough_sentences() -> None:
    """Issue 5: at least 60 sentences, unclear, past and impossible ones among them."""
    assert len(UNDERSTOOD) + len(UNSURE) + len(REFUSED) > 150


def test_late_in_the_evening() -> None:
    """R-SC-1: an hour whose both halves are over today is tomorrow's, as it is written."""
    late = datetime(2026, 11, 25, 22, 0, tzinfo=BERLIN).timestamp()
    found = understand_when("at 7", late, BERLIN)
    assert moment_of("en", found.first, BERLIN) == "Thursday, 2026-11-26 07:00 (Europe/Berlin)"


def test_words_that_say_no_time() -> None:
    """R-SC-1: a run of words is understood whole or not at all; nothing in it is skipped."""
    for words in ("tomorrow or so at 7:00", "", "at 7:00 sharp-ish", "friday-ish"):
        with pytest.raises(Unsure):
            understand_when(words, NOW, BERLIN)


def test_letters_that_grow() -> None:
    """R-SC-1: letters that become longer in small script do not shift what is cut from the sentence."""
    assert understand("remind me tomorrow at 7 to call İpek İstanbul", NOW, BERLIN).text == "call İpek İstanbul"


def test_kinds_of_rules() -> None:
    """R-SC-1: once, intervals and cron lines come out as such."""
    assert isinstance(understand_when("in 5 minutes", NOW, BERLIN).timing.rule, Once)
    assert understand_when("every 90 minutes", NOW, BERLIN).timing.rule == Every(5400, NOW + 5400)
    assert understand_when("every friday at 9:00", NOW, BERLIN).timing.rule == Cron("0 9 * * 5")

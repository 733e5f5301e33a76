"""The methods of the Bot API, one table; a method that is absent is answered with 404, as by the real server."""

from lar.testing.telegram.methods import chats, editing, forwarding, profile, sending, updates, uploads
from lar.testing.telegram.methods.call import Call, Handler

__all__ = ["METHODS", "Call"]

# Real methods whose effect nobody can see from here: accepted, logged, answered with true.
_ACCEPTED = """
    setmydefaultadministratorrights setmyprofilephoto removemyprofilephoto setchatmenubutton close logout
    banchatmember unbanchatmember restrictchatmember promotechatmember setchatadministratorcustomtitle
    banchatsenderchat unbanchatsenderchat setchatpermissions approvechatjoinrequest declinechatjoinrequest
    setchatphoto deletechatphoto setchattitle setchatdescription leavechat setchatstickerset deletechatstickerset
    editforumtopic closeforumtopic reopenforumtopic deleteforumtopic unpinallforumtopicmessages
    editgeneralforumtopic closegeneralforumtopic reopengeneralforumtopic hidegeneralforumtopic
    unhidegeneralforumtopic unpinallgeneralforumtopicmessages answerinlinequery answershippingquery
    answerprecheckoutquery setuseremojistatus readbusinessmessage deletemessagereaction deleteallmessagereactions
"""

METHODS: dict[str, Handler] = {
    **dict.fromkeys(_ACCEPTED.split(), lambda _: True),
    **updates.METHODS,
    **sending.METHODS,
    **uploads.METHODS,
    **forwarding.METHODS,
    **editing.METHODS,
    **chats.METHODS,
    **profile.METHODS,
}

"""The outbox of mail.

1. A notice is written in the transaction of what it tells of, so neither goes without the other.
2. Address and text are sealed, with the participant's own key where there is one; both are removed when it has gone.
3. A flow's account delivers it; what came of it is kept, never to whom in the clear.
4. A mail server that does not answer is asked again after 1, 2, 4 ... minutes; a text that is too old is not sent.
"""

"""The way in for staff, and what everybody sets up for themselves.

1. Sign-in is a passkey, or a password and then a second factor; a session begins when all of it was shown.
2. Every form carries a token of its browser, and is taken from our own origin alone.
3. What waits (a half sign-in, a passkey's challenge, a trip to an institution) belongs to one browser and ends in minutes.
4. My account lists factors and signed-in browsers; whatever changes a factor asks for a fresh confirmation.
5. Everything works without Panel, at 360 px and by keyboard; passkeys alone need a script.

Not here: participants' links and PIN, the pages of studies, giving roles.
"""

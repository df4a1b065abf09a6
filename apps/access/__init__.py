"""People and rights: who works in a study and with which role, what waits for a second person, tokens, accounts.

1. Every change asks for a reason, and for a confirmation of who one is that is at most five minutes old.
2. A person is shown to others by name and sign-in name; sessions and second factors as yes or no and a time, never more.
3. A token or an invitation is shown once, at the moment it is made.
"""

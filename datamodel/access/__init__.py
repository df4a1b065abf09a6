"""Who may do what.

1. An actor is an account: staff, participant, caregiver, or a machine (a flow, a notebook token).
2. A membership gives an account one role in one study, for all its sites or for one.
3. A role is a set of permissions `scope:resource:action`; one table (`rights.py`) holds them all.
4. The answer to "may X do Y in Z" is Allowed, or Refused with the one sentence that everyone reads.
5. What a blinded role must not see needs `study:blinded:read`; a statistician has it only when granted by name.
6. Sessions and tokens are stored as hashes. Links of participants are the room `links`.

Not here: second factors, step-up and electronic signature (they come with the trust core).
"""

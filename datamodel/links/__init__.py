"""How participants and caregivers come in, without a password.

1. A link is a 256-bit token of which only the SHA-256 is stored; it works once, and the newest use ends all others of that person.
2. Looking at a link never spends it: pages are shown by GET, a POST spends.
3. A link that was *asked* for lives 10 minutes and opens where it was asked for (a nonce in that browser); elsewhere the six
   digits that are shown there must be typed. A link that was *handed* out by staff lives 14 days and needs the six digits that
   they tell. Five wrong tries end a link. So neither a mailbox nor a mail scanner that presses buttons gets in with a link alone.
4. A link *shown* on the terminal of this machine by its operator was in no mailbox: a button is enough, for an hour.
5. The answer to who asks for a link is the same whether the address is known or not; three mails per address in 15 minutes.
6. On a device a PIN of 4 to 8 digits follows: argon2id of PIN and the device's own secret, so neither opens anything alone.
   Five wrong PINs in a row end the device; so does half a year.
"""

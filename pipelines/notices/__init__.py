"""Delivering the outbox.

1. The dispatcher delivers as soon as a notice is committed, and looks again every few seconds.
2. One transaction a mail, held while it is handed over: two workers never send one mail twice.
3. A crash between the server's "yes" and the commit sends it again, with the same Message-ID.
"""

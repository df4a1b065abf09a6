"""A mail server that keeps what it gets and shows it in the browser; it sends nothing on.

1. SMTP on loopback, for everybody; with a certificate also STARTTLS.
2. The newest message is on top; links in it can be pressed.
3. Messages live in memory and end with the process.
4. Addresses can be told to be refused for good (`refused@`) or for now (`later@`), for tests of what happens then.
"""

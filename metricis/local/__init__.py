"""What runs on this machine: an embedded PostgreSQL for the demo, the tests and a one-machine installation.

1. ``postgres`` starts, shares and stops one database server per folder.
2. ``binaries`` finds the server's programs: an override, the pinned package, or the system's, from version 17 on.
3. ``account`` answers as whom the server runs; it never runs as root, and no account is created for it.

Not here: databases, roles, tables and migrations (``datamodel``), and the processes of the demo.
"""

"""The dispatcher: hears from PostgreSQL that something arrived and starts what handles it.

One long-lived process. It seals the ledger, drains the inbox within a second of an arrival (as a Prefect flow run, in
this process), and starts the sync that somebody asked for (as a deployment run, on a worker). A sweep every few
seconds finds what a lost message would have told.
"""

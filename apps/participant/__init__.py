"""What participants see on their phones: their tasks, the consent, the tasks themselves.

1. Pages are plain HTML and small scripts: nothing between a participant and the store depends on a websocket.
2. Every answer is kept on the phone first (outbox), sent with an idempotency key, sent again until there is a receipt,
   and then removed from the phone.
3. State is always told in words: To do, Started, Saved on this phone, Sent with its receipt, Done, or why not.
4. All texts stand in `strings/`, one file for each language, with the same keys.

Not here: HTTP (edge), what is due and why (datamodel.tasks), what may be sent (validators.capture).
"""

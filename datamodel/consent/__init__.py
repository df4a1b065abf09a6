"""Consent: versions, signatures, withdrawals, and the gate everyone must pass.

1. A version is a document in one language with its sections; a published version is never changed.
2. A signature names the version, how it was given (drawn or typed), when, by whom, and the hash of what was shown.
   The drawn image and the typed name are sealed.
3. A withdrawal ends a consent from its instant on; nothing that was filed before is removed.
4. A "no" is kept as well as a "yes"; whoever said no may say yes later.
5. The gate is open for a participant when the newest published version is signed and not withdrawn, or the study's
   consent is given outside Metricis (`external`) or waived (`none`). It is asked as of the instant of capture.
6. Languages of one version are one version: signing it in French counts as much as in English.
7. Every refusal at the gate is in the ledger with the sentence that the participant read.

Not here: showing the form (apps), the inbox it arrives in (intake).
"""

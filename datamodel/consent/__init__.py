"""Consent: versions, signatures, withdrawals, and the gate everyone must pass.

1. A version is a document in one language with its sections; a published version is never changed.
2. A signature names the version, how it was given (drawn or typed), when, by whom, and the hash of what was shown.
   The drawn image and the typed name are sealed.
3. A withdrawal ends a consent from its instant on; nothing that was filed before is removed.
4. The gate is open for a participant when the newest published version is signed and not withdrawn, or the study's
   consent is given outside Metricis (`external`) or waived (`none`).

Not here: showing the form (apps), the inbox it arrives in (intake).
"""

"""The audit trail as people read it, and the regular review that Annex 11 (§9) asks for.

1. An event is a line of the ledger in plain words; a change is one value of one form that became another: who, when, why,
   what it was before (21 CFR 11.10(e)).
2. Whoever reads sees what he or she may see of the data: own sites only, blinded fields only with a grant.
3. A study names its critical fields. A change of one waits in the review queue until somebody who may review says that it
   was looked at; both are in the ledger. Whoever made a change does not review it.

Not here: the ledger itself, its proofs and their verification (audit).
"""

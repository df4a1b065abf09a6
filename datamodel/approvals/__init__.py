"""Acts that need two people: one proposes with a reason, another approves, and the act is done once.

1. Whoever proposed never approves; both hold the permission of the kind at the moment they act.
2. A proposal is good for 24 hours from its making, approved or not.
3. It is taken once, in the transaction of the act itself: two at the same moment, and one of them is refused.
4. What was proposed is what is done: the act reads its details from the proposal.
"""

"""Revealing one participant's treatment arm to one person, while everybody else stays blinded.

1. Planned: one person proposes it with a reason, another approves, and whoever proposed it sees the arm, once.
2. In an emergency: who holds `study:arm:reveal` chooses a category, says why and proves who they are; the owner, the safety
   officers and the pharmacists of the study are told by mail at once.
3. Revealing is committed before the arm is read, so that no arm is seen without a trace. PostgreSQL shows the one row only to that
   account, only in the transaction that notes its showing, only within five minutes.
4. Neither ledger, mails nor marks name the arm. The participant's record shows a mark that it was revealed, when and by whom.

Not here: who sees all blinded values of a study (access, approvals of the kind `unblinding`).
"""

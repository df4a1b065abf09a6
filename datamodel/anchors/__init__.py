"""Anchors: what others keep, or say, about the signed heads of the ledger, so that nobody can rewrite them unseen.

1. Three kinds: the file of heads outside the database (checkpoints), a time stamp of RFC 3161, a witness's co-signature (C2SP
   cosignature/v1). A head is called anchored when at least two kinds stand behind it.
2. Stamps and co-signatures lie beside the heads, with the certificates and keys they are checked against.
3. A stamp or co-signature over a head that the record does not have means that the record was rewritten; verification says so.

Not here: asking an authority over HTTP (metricis), the heads themselves (checkpoints).
"""

"""What a phone may send: the contracts of assessment results and consent events. Rows in, report out.

1. A payload is accepted whole or refused whole, with one sentence for each thing that is wrong.
2. Sentences name the place, what is allowed and the kind of what was received, never a received value: it may identify.
3. Plausibility (times that do not add up, focus lost) is a flag for people to judge; it refuses nothing.
4. Nothing here imports a frame library: the edge checks with the same rules before it answers.
"""

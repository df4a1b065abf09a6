"""What checking found, for people and machines: frames, an Excel workbook, a page, JSON.

1. Counts are never cut. Details may be limited; a line then says how many more there are, and the sum still holds.
2. A rule that did not run stands in the report with the reason; it is never shown as passed.
3. What reading a file found (a byte outside ASCII, a number stored as text) is a finding like any other.
4. Findings of one cause are one line: the same rule, the same variables, the same pattern of values.
5. Cells are text or numbers, never formulas, and are not altered. The page loads nothing and runs no script.
6. No clock is read: who asks says when. A report without times is the same bytes for the same data and rules.

Not here: running rules (`validators.conformance`), and what else leaves with the data (`exports.submission`).
"""

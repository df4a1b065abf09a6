"""What a study's data become in SDTM: the mapping of every variable, and the code lists.

1. The page reads the mapping specification and the design as they are; it holds no copy and changes nothing.
2. Fields are named as people know them: by form and label. A variable says where it comes from in words.
3. Every choice stands in the address. A study without a mapping says so, and where one is written.
"""

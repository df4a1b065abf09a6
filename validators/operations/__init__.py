"""Operations: what a rule computes before it tests records, such as values of another dataset or a standard's variables."""

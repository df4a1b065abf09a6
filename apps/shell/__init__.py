"""What every researcher page stands on.

1. Who is here: the signed-in browser's own cookie, looked up for pages, websockets and again before every act.
2. A page is declared (`pages.py`: path, title, permission) or it does not exist.
3. One frame (`frame.py`), one vocabulary of states (`status.py`), one way to write dates, numbers and text (`words.py`).
4. Everything a person typed or a source sent is escaped: markup is made by templates that escape by themselves.
5. Nothing is fetched from another origin.

Not here: what a page shows (each room), signing in (apps.edge).
"""

"""A REDCap API server for demonstrations and tests, written from REDCap's public behaviour.

It answers over real HTTP what a REDCap server answers, keeps its projects in an SQLite file of its own, and has a
control surface under ``/_sim/`` (not REDCap's) that makes it slow, failing or untruthful on purpose.

* ``server``      starts it; ``web`` holds the HTTP side: API address, control surface and pages
* ``api``         one file per subject of the API, and the table of what answers which ``content``
* ``records``     rows in, rows out, validation and filter logic
* ``project_xml`` the project file (ODM 1.3.1) in and out; its dialect is described in ``PROJECT_XML.md``
* ``store``, ``model``, ``formats``  what is kept, the shape of a project, and CSV, JSON and XML
"""

"""The project file (ODM 1.3.1 with REDCap's extension attributes), in and out."""

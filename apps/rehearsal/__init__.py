"""The page that moves a study's day. It exists only where development surfaces are open: see `datamodel.rehearsal`."""

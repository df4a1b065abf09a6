"""Our own catalogue of SDTMIG checks: rules as data in the open CORE format, in our own words."""

"""The CDISC pilot trial as a REDCap project: what a site would have typed."""

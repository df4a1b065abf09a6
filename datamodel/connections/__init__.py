"""A study's link to REDCap.

1. A connection holds the address, the sealed token, the mapping of REDCap's fields to what Metricis knows, and the
   server's time zone.
2. A sync run is kept from its start: running, succeeded, failed, with counts and one sentence; a failed run never
   changes when the data were last good.
3. A run remembers which batches are done, so that the next one resumes.
4. "Run now" is a request that the dispatcher picks up.
5. `is_redcap_managed(study)` is the one answer to whose data they are.

Not here: speaking REDCap's protocol (pipelines.clients).
"""

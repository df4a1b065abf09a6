"""metricis."""

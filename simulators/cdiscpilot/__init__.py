"""The CDISC pilot trial as a REDCap project: what a site would have typed."""

from simulators.cdiscpilot.load import LoadError, create_project, load_into, load_trial
from simulators.cdiscpilot.odm import project_xml
from simulators.cdiscpilot.rows import Batch, records

__all__ = ["Batch", "LoadError", "create_project", "load_into", "load_trial", "project_xml", "records"]

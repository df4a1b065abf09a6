"""Contracts of what REDCap, jsPsych and consent feeds may send.

`redcap.py` builds a pandera schema from a form of the study's design and sorts a frame of text into accepted values
and findings. Nothing here reads or writes; a frame comes in, frames go out.
"""

"""Names that the reader and the writer of the project file share."""

ODM = "http://www.cdisc.org/ns/odm/v1.3"
REDCAP = "https://projectredcap.org"
FIELD_TYPES = {"textarea": "notes", "select": "dropdown"}
VALIDATIONS = {"int": "integer", "float": "number"}
# Dictionary columns that travel as an attribute of their own on ItemDef.
ATTRIBUTES = {
    "section_header": "SectionHeader",
    "field_note": "FieldNote",
    "text_validation_type_or_show_slider_number": "TextValidationType",
    "identifier": "Identifier",
    "branching_logic": "BranchingLogic",
    "required_field": "RequiredField",
    "custom_alignment": "CustomAlignment",
    "question_number": "QuestionNumber",
    "matrix_group_name": "MatrixGroupName",
    "matrix_ranking": "MatrixRanking",
    "field_annotation": "FieldAnnotation",
}
# Project settings: element of GlobalVariables, key of project info.
SETTINGS = {
    "RecordAutonumberingEnabled": "is_autonumber",
    "CustomRecordLabel": "custom_record_label",
    "SecondaryUniqueField": "secondary_unique_field",
    "SchedulingEnabled": "scheduling_enabled",
    "SurveysEnabled": "surveys_enabled",
    "Purpose": "purpose",
    "PurposeOther": "purpose_other",
    "ProjectNotes": "project_notes",
    "MissingDataCodes": "missing_data_codes",
}


def odm(tag: str) -> str:
    """A tag of ODM in lxml's notation."""
    return f"{{{ODM}}}{tag}"


def red(tag: str) -> str:
    """A tag or attribute of REDCap's extension in lxml's notation."""
    return f"{{{REDCAP}}}{tag}"

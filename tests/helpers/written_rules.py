"""The rules of the published schemas as far as the writers use them, beyond those of the fixtures.

From altoxml/schema (v4/alto-4-4) and PRImA-Research-Lab/PAGE-XML (2019-07-15).
"""

from typing import Any

from helpers.schema_rules import ALTO, BOX, PAGE, REGION, Rules, check

INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
_STEP = (
    "(processingCategory )?(processingDateTime )?(processingAgency )?(processingStepDescription )*"
    "(processingStepSettings )?(processingSoftware )?"
)
ALTO_WRITTEN: Rules = ALTO | {
    "alto": (str(ALTO["alto"]), "", f"SCHEMAVERSION {INSTANCE}"),
    "Description": "MeasurementUnit (sourceImageInformation )?(Processing )*",
    "ComposedBlock": ("(Shape )?(TextBlock )+", f"ID {BOX}", "TAGREFS TYPE"),
    "Processing": (_STEP, "ID", ""),
    "processingSoftware": "(softwareCreator )?(softwareName )?(softwareVersion )?(applicationDescription )?",
    "processingCategory": "",
    "processingDateTime": "",
    "processingStepDescription": "",
    "processingStepSettings": "",
    "softwareName": "",
    "softwareVersion": "",
    "TextBlock": ("(Shape )?(TextLine )*", "ID", f"{BOX} TAGREFS ROTATION"),
    "String": ("(Shape )?(ALTERNATIVE )*(Glyph )*", "CONTENT", f"ID {BOX} STYLE WC"),
    "Glyph": ("(Shape )?(Variant )*", "CONTENT", f"ID {BOX} GC"),
}
PAGE_WRITTEN: Rules = PAGE | {
    "PcGts": ("Metadata Page ", "", INSTANCE),
    "Metadata": "Creator Created LastChange (Comments )?(MetadataItem )*",
    "Comments": "",
    "MetadataItem": ("(Labels )*", "value", "type name date"),
    "Labels": "(Label )*",
    "Label": ("", "value", "type"),
    "TextRegion": (
        f"Coords (Roles )?{REGION}(TextLine )*(TextEquiv )?(TextStyle )?",
        "id",
        "custom type orientation readingDirection textLineOrder",
    ),
    "Coords": ("", "points", "conf"),
    "Baseline": ("", "points", "conf"),
    "TextLine": ("Coords (Baseline )?(Word )*(TextEquiv )*", "id", "custom comments readingDirection"),
    "TableRegion": ("Coords (TextRegion )+", "id", "custom orientation"),
    "Roles": "(TableCellRole )?",
    "TableCellRole": ("", "rowIndex columnIndex", "rowSpan colSpan header"),
    "Word": ("Coords (Glyph )*(TextEquiv )*", "id", "custom"),
    "Glyph": ("Coords (TextEquiv )*", "id", "custom"),
}


def check_alto(written: bytes) -> Any:
    """Assert that a file follows ALTO 4.4; return its outermost element."""
    root = check(written.decode(), ALTO_WRITTEN)
    for element in root.iter():
        assert all(0 <= float(element.get(name, 0)) <= 1 for name in ("WC", "GC"))
        assert all(element.get(name, "0").isdecimal() for name in BOX.split())
        assert element.tag.rpartition("}")[2] != "Glyph" or len(element.get("CONTENT")) == 1
    return root


def check_page_xml(written: bytes) -> Any:
    """Assert that a file follows PAGE of 2019-07-15; return its outermost element."""
    root = check(written.decode(), PAGE_WRITTEN)
    page = root.find("{*}Page")
    width, height = int(page.get("imageWidth")), int(page.get("imageHeight"))
    for element in root.iter("{*}Coords", "{*}Baseline"):
        points = [point.split(",") for point in element.get("points").split(" ")]
        assert len(points) > 1 and all(x.isdecimal() and y.isdecimal() for x, y in points)
        assert all(int(x) < width and int(y) < height for x, y in points)
    assert all(0 <= float(element.get("conf", 0)) <= 1 for element in root.iter("{*}*"))
    assert all(-180 < float(element.get("orientation", 0)) <= 180 for element in root.iter("{*}TextRegion"))
    return root

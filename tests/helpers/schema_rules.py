"""The rules of the published schemas, as far as tests use them."""

import re
from typing import Any

from lxml import etree

from htr_lightning.layout.xml import get_local_name

Rules = dict[str, str | tuple[str, str, str]]
"""For each element: its children in order, as a regular expression over names that each end in a space; required
attributes; optional attributes. A string alone describes an element without attributes."""


BOX = "HPOS VPOS WIDTH HEIGHT"


ALTO: Rules = {
    "alto": "(Description )?(Tags )?(ReadingOrder )?Layout ",
    "MeasurementUnit": "",
    "fileName": "",
    "Description": "MeasurementUnit (sourceImageInformation )?",
    "sourceImageInformation": "(fileName )?",
    "Tags": "((Layout|Structure|Role|NamedEntity|Other)Tag )*",
    "OtherTag": ("", "ID LABEL", "TYPE DESCRIPTION URI"),
    "ReadingOrder": "((Uno|O)rderedGroup )+",
    "ElementRef": ("", "ID REF", "TAGREFS"),
    "OrderedGroup": ("(ElementRef |(Uno|O)rderedGroup )+", "ID", "REF TAGREFS"),
    "Layout": "(Page )+",
    "Page": ("((Top|Left|Right|Bottom)Margin )*(PrintSpace )?", "ID PHYSICAL_IMG_NR", "WIDTH HEIGHT LANG"),
    "PrintSpace": ("((TextBlock|ComposedBlock|Illustration|GraphicalElement) )*", "", f"ID {BOX}"),
    "TextBlock": ("(Shape )?(TextLine )*", "ID", f"{BOX} TAGREFS"),
    "TextLine": ("(Shape )?(String (SP )?)+(HYP )?", "", f"ID {BOX} TAGREFS BASELINE BASEDIRECTION"),
    "Shape": "(Polygon|Ellipse|Circle) ",
    "Polygon": ("", "POINTS", ""),
    "String": ("", "CONTENT", f"ID {BOX} TAGREFS STYLE SUBS_TYPE SUBS_CONTENT"),
    "SP": ("", "", f"ID {BOX}"),
}


REGION = "((Text|Image|LineDrawing|Graphic|Table|Chart|Separator|Maths|Chem|Music|Advert|Noise|Unknown)Region )*"


PAGE: Rules = {
    "PcGts": "Metadata Page ",
    "Metadata": "Creator Created LastChange (Comments )?",
    "Creator": "",
    "Created": "",
    "LastChange": "",
    "ReadingOrder": "(Uno|O)rderedGroup ",
    "Page": (
        f"(PrintSpace )?(ReadingOrder )?{REGION}",
        "imageFilename imageWidth imageHeight",
        "custom type primaryLanguage",
    ),
    "OrderedGroup": ("((RegionRef|OrderedGroup|UnorderedGroup)Indexed )+", "id", "caption"),
    "RegionRefIndexed": ("", "index regionRef", ""),
    "TextRegion": (f"Coords {REGION}(TextLine )*(TextEquiv )?(TextStyle )?", "id", "custom type"),
    "TextLine": ("Coords (Baseline )?(Word )*(TextEquiv )?(TextStyle )?", "id", "custom"),
    "Coords": ("", "points", ""),
    "Baseline": ("", "points", ""),
    "TextEquiv": ("(PlainText )?Unicode ", "", "conf"),
    "Unicode": "",
}


def check(xml: str, rules: Rules, needed: str = "") -> Any:
    """Assert that a file follows rules, that no id is twice in it and that every reference leads somewhere.

    Args:
        xml: the file.
        rules: of its elements.
        needed: further attributes that blocks and lines must have.
    """
    root = etree.fromstring(xml.encode())
    for element in root.iter():
        name = get_local_name(element)
        rule = rules[name]
        children, must, may = rule if isinstance(rule, tuple) else (rule, "", "")
        if name in ("TextBlock", "TextLine", "PrintSpace"):
            must += f" {needed}"
        assert re.fullmatch(children, "".join(f"{get_local_name(child)} " for child in element)), name
        assert set(must.split()) <= set(element.attrib) <= {*must.split(), *may.split()}, name
    ids = [value for e in root.iter() for key, value in e.items() if key in ("ID", "id")]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[A-Za-z_][\w.-]*", id) for id in ids)
    references = [v for e in root.iter() for key, v in e.items() if key in ("TAGREFS", "REF", "regionRef")]
    assert {ref for value in references for ref in value.split()} <= set(ids)
    return root

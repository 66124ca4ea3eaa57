"""Valid files that inputs are made from: typeset lines and pages, layouts, tables and models."""

import io
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from PIL import Image, ImageDraw, ImageFont

TEXTS = ("le roi dit non", "dix chats, 12 rats", "l'été & <l'hiver>", "Nous, soussignés")
PAGE_SIZE = (420, 260)
ALTO_NAMES = (
    "alto",
    "Page",
    "PrintSpace",
    "TextBlock",
    "TextLine",
    "String",
    "SP",
    "HYP",
    "Shape",
    "Polygon",
    "Circle",
)
PAGE_NAMES = ("PcGts", "Page", "TextRegion", "TextLine", "Coords", "Baseline", "TextEquiv", "Unicode", "Word", "Point")


def typeset(text: str, height_px: int = 32) -> Image.Image:
    """Draw a text black on white."""
    font = ImageFont.load_default(height_px * 0.7)
    image = Image.new("L", (int(font.getlength(text)) + 16, height_px), 255)
    ImageDraw.Draw(image).text((8, 2), text, 0, font)
    return image


def draw_page(texts: Sequence[str] = TEXTS) -> Image.Image:
    """Draw a page with a line for each text, 50 px apart."""
    page = Image.new("L", PAGE_SIZE, 240)
    for row, text in enumerate(texts):
        page.paste(typeset(text), (20, 20 + 50 * row))
    return page


def encode(image: Image.Image, format: str, **options: object) -> bytes:
    """Return an image as the content of a file."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def make_images() -> dict[str, list[tuple[str, bytes]]]:
    """Return suffix and content of images of all formats, by format."""
    line, page = typeset(TEXTS[1]), draw_page()
    color, alpha = line.convert("RGB"), line.convert("RGBA")
    alpha.putalpha(line)
    exif = Image.Exif()
    exif[0x0112] = 6
    pngs = [encode(image, "PNG") for image in (line, color, alpha, line.convert("P"), line.convert("1"), page)]
    pngs += [encode(line.convert("I").convert("I;16"), "PNG"), encode(line.convert("LA"), "PNG", exif=exif)]
    jpegs = [encode(color, "JPEG"), encode(page, "JPEG", progressive=True), encode(color.convert("CMYK"), "JPEG")]
    jpegs += [encode(line, "JPEG", exif=exif)]
    tiffs = [
        encode(image, "TIFF", compression=c) for image in (line, color) for c in (None, "tiff_lzw", "tiff_deflate")
    ]
    tiffs += [encode(line.convert("1"), "TIFF", compression=c) for c in ("group3", "group4", "packbits")]
    tiffs += [encode(line.convert(mode), "TIFF") for mode in ("F", "I;16", "CMYK", "LAB", "P")]
    tiffs += [encode(color, "TIFF", compression="jpeg")]
    tiffs += [encode(page, "TIFF", save_all=True, append_images=[page, page.resize((105, 65))]) for _ in range(3)]
    gifs = [encode(line, "GIF"), encode(color, "GIF", save_all=True, append_images=[page.convert("RGB")], loop=0)]
    webps = [encode(color, "WEBP"), encode(alpha, "WEBP", lossless=True)]
    webps += [encode(page.convert("RGB"), "WEBP", save_all=True, append_images=[color.resize(page.size)])]
    bmps = [encode(image, "BMP") for image in (line, color, alpha, line.convert("1"), line.convert("P"))]
    jp2s = [encode(image, "JPEG2000") for image in (line, color, alpha)]
    jp2s += [encode(page, "JPEG2000", irreversible=True, tile_size=(64, 64), no_jp2=True)]
    pnms = [encode(image, "PPM") for image in (line, color, line.convert("1"))]
    pdfs = [encode(page.convert("RGB"), "PDF", save_all=True, append_images=[color]), write_text_pdf()]
    made = {"png": pngs, "jpeg": jpegs, "tiff": tiffs, "gif": gifs, "webp": webps, "bmp": bmps, "pnm": pnms}
    named = {name: [(f".{name}", content) for content in contents] for name, contents in made.items()}
    named["jpeg2000"] = [(".j2k" if content[:4] == b"\xff\x4f\xff\x51" else ".jp2", content) for content in jp2s]
    return named | {"pdf": [(".pdf", content) for content in pdfs]}


def write_text_pdf() -> bytes:
    """Write a PDF document of two pages of text, without compression."""
    drawn = b"BT /F1 18 Tf 20 90 Td (le roi dit non) Tj ET 0 0 m 90 90 l S"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R 3 0 R] /Count 2 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 120] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    content, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(content)
    return content + b"xref\n0 6\n0000000000 65535 f \n" + table + end


def write_alto(image: str = "page.png", version: int = 4) -> bytes:
    """Write the layout of the page as ALTO."""
    width, height = PAGE_SIZE
    lines = ""
    for row, text in enumerate(TEXTS):
        top = 20 + 50 * row
        outline = f"20,{top} 330,{top} 330,{top + 32} 20,{top + 32}"
        words = "<SP/>".join(f"<String ID='s{row}' CONTENT={quoteattr(word)} STYLE='bold'/>" for word in text.split())
        baseline = f"20,{top + 24} 330,{top + 24}" if version > 3 else f"{top + 24}"
        lines += (
            f"<TextLine ID='l{row}' TAGREFS='LT1' HPOS='20' VPOS='{top}' WIDTH='310' HEIGHT='32' BASELINE='{baseline}'>"
            f"<Shape><Polygon POINTS='{outline}'/></Shape>{words}<HYP CONTENT='-'/></TextLine>"
        )
    return (
        f"<?xml version='1.0' encoding='UTF-8'?><alto xmlns='http://www.loc.gov/standards/alto/ns-v{version}#'>"
        "<Description><MeasurementUnit>pixel</MeasurementUnit><sourceImageInformation>"
        f"<fileName>{image}</fileName></sourceImageInformation></Description>"
        "<Tags><OtherTag ID='LT1' LABEL='default' DESCRIPTION='line type default'/></Tags>"
        "<ReadingOrder><OrderedGroup ID='o'><ElementRef ID='r0' REF='l1'/><ElementRef ID='r1' REF='l0'/></OrderedGroup>"
        f"</ReadingOrder><Layout><Page ID='p' PHYSICAL_IMG_NR='1' WIDTH='{width}' HEIGHT='{height}'>"
        f"<PrintSpace HPOS='0' VPOS='0' WIDTH='{width}' HEIGHT='{height}'><TextBlock ID='b1'>{lines}</TextBlock>"
        "</PrintSpace></Page></Layout></alto>"
    ).encode()


def write_page_xml(image: str = "page.png", version: str = "2013-07-15", texts: Sequence[str] = TEXTS) -> bytes:
    """Write the layout of the page as PAGE; the version of 2010 writes each point as an element."""
    width, height = PAGE_SIZE

    def coords(name: str, points: str) -> str:
        if not version.startswith("2010"):
            return f"<{name} points='{points}'/>"
        pairs = (point.split(",") for point in points.split())
        return f"<{name}>" + "".join(f"<Point x='{x}' y='{y}'/>" for x, y in pairs) + f"</{name}>"

    lines = ""
    for row, text in enumerate(texts):
        top = 20 + 50 * row
        outline = coords("Coords", f"20,{top} 330,{top} 330,{top + 32} 20,{top + 32}")
        baseline = coords("Baseline", f"20,{top + 24} 200,{top + 25} 330,{top + 24}")
        lines += (
            f"<TextLine id='l{row}' custom='readingOrder {{index:{row};}} "
            "textStyle {offset:0; length:2; bold:true;}'>"
            f"{outline}{baseline}<Word id='w{row}'>{outline}<TextEquiv><Unicode>x</Unicode></TextEquiv></Word>"
            f"<TextEquiv index='0' conf='0.9'><Unicode>{escape(text)}</Unicode></TextEquiv></TextLine>"
        )
    region = coords("Coords", f"0,0 {width},0 {width},{height} 0,{height}")
    return (
        "<?xml version='1.0' encoding='UTF-8'?>"
        f"<PcGts xmlns='http://schema.primaresearch.org/PAGE/gts/pagecontent/{version}'><Metadata><Creator>x</Creator>"
        f"</Metadata><Page imageFilename='{image}' imageWidth='{width}' imageHeight='{height}'><ReadingOrder>"
        "<OrderedGroup id='ro'><RegionRefIndexed index='0' regionRef='r1'/></OrderedGroup></ReadingOrder>"
        f"<TextRegion id='r1' type='paragraph' custom='readingOrder {{index:0;}}'>{region}{lines}</TextRegion></Page>"
        "</PcGts>"
    ).encode()


def write_files(root: Path, files: dict[str, bytes | str]) -> None:
    """Write files with their folders."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())

"""Datasets: a valid one of each format, of which one file is changed."""

import gzip
import io
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from layouts import read_lines
from mutate import mutate_bytes, mutate_text, mutate_xml
from outcome import READ
from seeds import PAGE_NAMES, TEXTS, draw_page, encode, typeset, write_files, write_page_xml

from htr_lightning.data.line import SPLITS
from htr_lightning.data.sources.archives import Archives
from htr_lightning.data.sources.bentham import Bentham
from htr_lightning.data.sources.copiste import Copiste
from htr_lightning.data.sources.hub import Hub
from htr_lightning.data.sources.iam import Iam
from htr_lightning.data.sources.lines import Lines
from htr_lightning.data.sources.mnist import Mnist
from htr_lightning.data.sources.pylaia import Pylaia
from htr_lightning.data.sources.read2016 import Read2016
from htr_lightning.data.sources.rimes import Rimes

Files = dict[str, bytes]
LINE = encode(typeset(TEXTS[0]), "PNG")
JPEG = encode(typeset(TEXTS[0]), "JPEG")
PAGE = encode(draw_page(), "JPEG")


@dataclass(frozen=True)
class Dataset:
    """A dataset of one format.

    Attributes:
        files: its files.
        build: returns its source for a folder.
    """

    files: Files
    build: Callable[[str], Any]


class Sources:
    """Datasets of one or several formats.

    Args:
        name: of the kind.
        datasets: valid ones.
    """

    rewrites_input = False

    def __init__(self, name: str, datasets: list[Dataset]) -> None:
        self.name, self._datasets = name, datasets

    def write(self, random: Random, folder: Path) -> Dataset:
        """Write a dataset with one file changed, and rarely one missing."""
        dataset = random.choice(self._datasets)
        files = dict(dataset.files)
        changed = random.choice([name for name in files if not name.lower().endswith((".png", ".jpg"))])
        files[changed] = mutate_file(random, changed, files[changed])
        if random.random() < 0.05:
            del files[random.choice(sorted(files))]
        write_files(folder, files)  # type: ignore[arg-type]
        return dataset

    def read(self, given: Dataset, folder: Path, out: Path) -> str:
        """Read all splits."""
        source = given.build(str(folder))
        results = [read_lines(list(source.lines(split))) for split in SPLITS]
        if hasattr(source, "left_out"):
            source.left_out("train")
        return READ if READ in results else results[0]


def mutate_file(random: Random, name: str, content: bytes) -> bytes:
    """Change a file by what its suffix says of it."""
    if name.endswith(".xml") and random.random() < 0.8:
        return mutate_xml(random, content, PAGE_NAMES)
    if name.endswith((".xml", ".parquet", "ubyte", ".gz")):
        return mutate_bytes(random, content, head=80)
    return mutate_text(random, content.decode("utf-8"))


def make_tables() -> list[Dataset]:
    """Make datasets with manifests or text files."""
    names = [f"{split}/{n}.png" for split in SPLITS for n in range(3)]
    images = {name: LINE for name in names}
    rows = list(zip(names, (TEXTS * 3)[: len(names)], strict=True))
    datasets = []
    for suffix, mark in ((".tsv", "\t"), (".csv", ","), (".jsonl", "")):
        tables = {}
        for split in SPLITS:
            own = [row for row in rows if row[0].startswith(split)]
            table = [["image", "text", "writer"], *([name, text, "w1"] for name, text in own)]
            if not mark:
                objects = (dict(zip(table[0], row, strict=True)) for row in table[1:])
                written = "\n".join(json.dumps(row, ensure_ascii=False) for row in objects)
            else:
                written = "\n".join(mark.join(f'"{x}"' if mark == "," else x for x in row) for row in table)
            tables[f"{split}{suffix}"] = (written + "\n").encode()
        datasets.append(Dataset(images | tables, Lines))
    one = "image\ttext\tsplit\tpage\n" + "".join(f"{n}\t{t}\t{n.partition('/')[0]}\tp1\n" for n, t in rows)
    datasets.append(Dataset(images | {"all.tsv": one.encode()}, lambda root: Lines(root, manifest="all.tsv")))
    texts = {f"{name[:-4]}.gt.txt": f"{text}\n".encode() for name, text in rows}
    return [*datasets, Dataset(images | texts, Lines)]


def make_pylaia() -> list[Dataset]:
    """Make a dataset of PyLaia."""
    files: Files = {
        "syms.txt": b"<ctc> 0\n" + b"".join(b"%s %d\n" % (c.encode(), n) for n, c in enumerate("abcder<>", 1))
    }
    for split in SPLITS:
        ids = [f"{split}/im{n}" for n in range(2)]
        files |= {f"images/{id}.jpg": JPEG for id in ids}
        files[f"{split}.txt"] = "".join(f"{id} a b <space> c d\n" for id in ids).encode()
        files[f"{split}_ids.txt"] = "".join(f"{id}\n" for id in ids).encode()
    raw = {name: content for name, content in files.items() if name.startswith("images")}
    raw |= {f"{s}_text.txt": b"# x\n" + f"{s}/im0 le roi\n{s}/im1 dit non\n".encode() for s in SPLITS}
    return [Dataset(files, Pylaia), Dataset(raw, Pylaia)]


def make_iam() -> list[Dataset]:
    """Make an IAM database in the layout of its archives."""
    forms = {"train": "a01-000u", "val": "b02-001", "test": "c03-002a"}
    lwt = "largeWriterIndependentTextLineRecognitionTask"
    lists = {"train": ["trainset"], "val": ["validationset1", "validationset2"], "test": ["testset"]}
    files: Files = {
        "ascii/forms.txt": "".join(f"{form} 00{n} 2 prt 2 1 5 3\n" for n, form in enumerate(forms.values())).encode()
    }
    table = "# lines.txt\n#\n"
    for split, form in forms.items():
        ids = [f"{form}-0{n}" for n in range(2)]
        lines = ""
        for n, id in enumerate(ids):
            table += f'{id} ok 154 19 20 {20 + 50 * n} 250 30 "|It|\'s|late|,|"|Mr.|Hobbs\n'
            lines += (
                f'<line id="{id}" text="&quot;It&apos;s late,&quot; Mr. Hobbs"><word id="{id}-00" text="It"/></line>'
            )
            files[f"lines/{form[:3]}/{form}/{id}.png"] = LINE
        files[f"xml/{form}.xml"] = (
            "<?xml version='1.0' encoding='UTF-8'?><form id='x' writer-id='000'><machine-printed-part/>"
            f"<handwritten-part>{lines}</handwritten-part></form>"
        ).encode()
        files[f"formsA-D/{form}.png"] = encode(draw_page(), "PNG")
        for n, name in enumerate(lists[split]):
            files[f"{lwt}/{name}.txt"] = f"{ids[n]}\n".encode()
        aachen = {"train": "train", "val": "validation", "test": "test"}[split]
        files[f"aachen/{aachen}.uttlist"] = f"{form}\n".encode()
    files["ascii/lines.txt"] = table.encode()
    builds: list[Callable[[str], Any]] = [
        Iam,
        lambda root: Iam(root, text="ascii", image="forms"),
        lambda root: Iam(root, split="aachen", text="tokens", segmentation="ok"),
    ]
    return [Dataset(files, build) for build in builds]


def make_rimes() -> list[Dataset]:
    """Make RIMES in both of its forms."""

    def page(name: str) -> str:
        lines = "".join(
            f"<Line Left='20' Top='{20 + 50 * n}' Right='300' Bottom='{50 + 50 * n}' Value='{text}'/>"
            for n, text in enumerate(("le ¤{roi/rois}¤", "dit non"))
        )
        paragraph = f"<Paragraph Value='le roi\\ndit non'>{lines}</Paragraph>"
        return f"<SinglePage FileName='images/{name}.png'>{paragraph}</SinglePage>"

    names = [f"train2011-{n}" for n in range(3)]
    start = "<?xml version='1.0' encoding='UTF-8'?><DocumentList>"
    pages: Files = {f"images_gray/{name}.png": encode(draw_page(), "PNG") for name in (*names, "eval2011-0")}
    pages["training_2011.xml"] = f"{start}{''.join(map(page, names))}</DocumentList>".encode()
    pages["eval_2011_annotated.xml"] = f"{start}{page('eval2011-0')}</DocumentList>".encode()
    pages["val.txt"] = b"train2011-1\ntrain2011-2_000001\n"
    lines: Files = {}
    for name, id in (
        ("TrainLines", "train2011-0_000001"),
        ("ValidationLines", "train2011-1_000001"),
        ("TestLines", "e_1"),
    ):
        lines |= {f"Sets/{name}.txt": f"{id}\n".encode(), f"Images/{id}.jpg": JPEG}
        lines[f"Transcriptions/{id}.txt"] = "¤le roi¤ à 45€\n".encode()
    return [
        Dataset(pages, lambda root: Rimes(root, val_pages=1)),
        Dataset(pages, lambda root: Rimes(root, val="val.txt")),
        Dataset(lines, Rimes),
    ]


def make_competitions() -> list[Dataset]:
    """Make Bentham R0, READ 2016 and a clone of Copiste d'un jour."""
    gt, pages = "BenthamDatasetR0-GT", "BenthamDatasetR0-Images/Images/Pages"
    bentham: Files = {}
    for name, page in (("Train", "002_080_001"), ("Validation", "071_006_003"), ("Test", "116_649_001")):
        id = f"{page}_01_01"
        bentham |= {
            f"{gt}/Partitions/{name}.lst": f"{page}\n".encode(),
            f"{gt}/Partitions/{name}Lines.lst": f"{id}\n".encode(),
        }
        bentham |= {f"{gt}/Images/Lines/{id}.png": LINE, f"{gt}/Transcriptions/{id}.txt": b"6 . The <gap/> &amp; so\n"}
        bentham |= {f"{pages}/{page}.jpg": PAGE, f"{gt}/PAGE/{page}.xml": write_page_xml(f"{page}.jpg")}
    read: Files = {}
    for part in ("PublicData/Training", "PublicData/Validation", "Test-ICFHR-2016"):
        folder = part if part.startswith("Test") else f"{part}/Images"
        read |= {f"{part}/page/Seite1.xml": write_page_xml("Seite1.JPG"), f"{folder}/Seite1.JPG": PAGE}
    alto = "<alto><Layout><Page><PrintSpace><TextBlock>{}</TextBlock></PrintSpace></Page></Layout></alto>"
    line = (
        "<TextLine ID='l{0}' HPOS='5' VPOS='{1}' WIDTH='300' HEIGHT='38'><String CONTENT='le roi dit {0}'/></TextLine>"
    )
    content = "<?xml version='1.0' encoding='UTF-8'?>" + alto.format(
        "".join(line.format(n, 20 + 50 * n) for n in range(3))
    )
    copiste: Files = {}
    for name in ("wikitexte_0219", "wikitexte_0054", "wikitexte_0006"):
        copiste |= {f"jpg/{name}.jpg": PAGE, f"alto/{name}.xml": content.encode()}
    return [
        Dataset(bentham, Bentham),
        Dataset(bentham, lambda root: Bentham(root, from_pages=True)),
        Dataset(read, Read2016),
        Dataset(copiste, Copiste),
    ]


def make_mnist() -> list[Dataset]:
    """Make MNIST of a few digits."""
    files: Files = {}
    for part in ("train", "t10k"):
        pixels = bytes(range(256)) * 4 * 28
        files[f"MNIST/raw/{part}-images-idx3-ubyte"] = struct.pack(">IIII", 2051, 20, 28, 28) + pixels[: 20 * 784]
        files[f"MNIST/raw/{part}-labels-idx1-ubyte"] = struct.pack(">II", 2049, 20) + bytes(n % 10 for n in range(20))
    zipped = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in files.items()}
    return [
        Dataset(files, lambda root: Mnist(root, num_val=4)),
        Dataset(zipped, lambda root: Mnist(root, num_val=4, digits_per_line=(1, 3))),
    ]


def make_parquet() -> list[Dataset]:
    """Make folders of Parquet files, with and without a card."""
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

    def write(columns: dict[str, Any], **options: Any) -> bytes:
        file = io.BytesIO()
        pq.write_table(pa.table(columns), file, **options)
        return file.getvalue()

    images = pa.array([{"bytes": LINE, "path": "a.png"}] * 4, image)
    texts = pa.array(list(TEXTS))
    plain = write({"image": images, "text": texts, "writer": pa.array(["a", "a", "b", None])}, compression="NONE")
    grouped = write({"image": images, "text": texts.dictionary_encode()}, row_group_size=2)
    raw = write({"im": pa.array([LINE] * 4), "text": texts, "split": pa.array(["train", "val", "test", "x"])})
    paths = write({"image": pa.array(["a.png", "b/a.png", "../a.png", "http://x/a.png"]), "text": texts})
    card = b"---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/a*\n"
    card += b"  - split: test\n    path: b.parquet\n---\n# x\n"
    named = {"train.parquet": plain, "validation.parquet": grouped, "test.parquet": plain}
    archive = write(
        {"image": images, "text": texts, "hand": texts, "page": texts, "split": pa.array(["train"] * 3 + ["val"])}
    )
    return [
        Dataset(named, Hub),
        Dataset({"data/a1.parquet": grouped, "b.parquet": plain, "README.md": card}, Hub),
        Dataset({"x.parquet": raw}, lambda root: Hub(root, split_column="split")),
        Dataset({"x.parquet": paths, "a.png": LINE, "b/a.png": LINE}, Hub),
        Dataset({"a.parquet": archive, "b.parquet": archive}, lambda root: Archives(root, writer_column="hand")),
    ]

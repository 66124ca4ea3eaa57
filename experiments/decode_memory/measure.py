"""Measure how much memory decoding an image takes, by format and kind of pixels.

    python experiments/decode_memory/measure.py [--side 9000] [--out experiments/decode_memory]

Writes each image into a temporary folder and decodes it in a process of its own. The figure is the growth of the peak
resident set size (`VmHWM`) divided by the number of pixels. Needs Linux. Writes result.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

DECODE = """
import hashlib, json, re, sys, time
from pathlib import Path
from htr_lightning.image.decode import read_image

def peak():
    return 1024 * int(re.search(r"VmHWM:\\s*([0-9]+)", Path("/proc/self/status").read_text())[1])

read_image(sys.argv[2])  # a small one, for what a decoder needs once
before, start = peak(), time.process_time()
pixels = read_image(sys.argv[1], max_pixels=10**9)
seconds, after = time.process_time() - start, peak()
digest = hashlib.blake2b(pixels, digest_size=8).hexdigest()
growth = (after - before) / (pixels.shape[0] * pixels.shape[1])
print(json.dumps({"bytes_per_pixel": round(growth, 2), "seconds": round(seconds, 2), "digest": digest}))
"""
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "JPEG, gray": ("L", "jpg", {}),
    "JPEG, color": ("RGB", "jpg", {}),
    "JPEG, color, progressive": ("RGB", "jpg", {"progressive": True}),
    "JPEG, color, progressive, without subsampling": ("RGB", "jpg", {"progressive": True, "subsampling": 0}),
    "JPEG, color, upside down by EXIF": ("RGB", "jpg", {"orientation": 3}),
    "JPEG, color, a quarter turn by EXIF": ("RGB", "jpg", {"orientation": 6}),
    "JPEG, CMYK": ("CMYK", "jpg", {}),
    "PNG, black and white": ("1", "png", {"compress_level": 1}),
    "PNG, gray": ("L", "png", {"compress_level": 1}),
    "PNG, gray, 16 bits": ("I;16", "png", {"compress_level": 1}),
    "PNG, gray with transparency": ("LA", "png", {"compress_level": 1}),
    "PNG, palette": ("P", "png", {"compress_level": 1}),
    "PNG, color": ("RGB", "png", {"compress_level": 1}),
    "PNG, color with transparency": ("RGBA", "png", {"compress_level": 1}),
    "TIFF, black and white, CCITT group 4": ("1", "tif", {"compression": "group4"}),
    "TIFF, gray, LZW": ("L", "tif", {"compression": "tiff_lzw"}),
    "TIFF, gray, 16 bits": ("I;16", "tif", {}),
    "TIFF, gray, 32 bits": ("I", "tif", {}),
    "TIFF, color": ("RGB", "tif", {}),
    "TIFF, color, LZW": ("RGB", "tif", {"compression": "tiff_lzw"}),
    "TIFF, color, LZW, one strip": ("RGB", "tif", {"compression": "tiff_lzw", "tiffinfo": {278: 100_000}}),
    "TIFF, color, JPEG": ("RGB", "tif", {"compression": "jpeg"}),
    "TIFF, color, LZW, a quarter turn": ("RGB", "tif", {"compression": "tiff_lzw", "tiffinfo": {0x0112: 6}}),
    "TIFF, CMYK, LZW": ("CMYK", "tif", {"compression": "tiff_lzw"}),
    "BMP, color": ("RGB", "bmp", {}),
    "PPM, color": ("RGB", "ppm", {}),
    "GIF": ("P", "gif", {}),
    "WebP, color": ("RGB", "webp", {"method": 0}),
    "WebP, color, lossless": ("RGB", "webp", {"lossless": True, "method": 0, "quality": 0}),
    "WebP, color with transparency": ("RGBA", "webp", {"method": 0}),
    "JPEG 2000, gray": ("L", "jp2", {}),
    "JPEG 2000, color": ("RGB", "jp2", {}),
    "JPEG 2000, gray, 16 bits": ("I;16", "jp2", {}),
    "JPEG 2000, color with transparency": ("RGBA", "jp2", {}),
    "JPEG 2000, color, tiles of 1024 x 1024 px": ("RGB", "jp2", {"tile_size": (1024, 1024)}),
    "AVIF, color": ("RGB", "avif", {"speed": 10, "quality": 50}),
}


def draw(mode: str, side: int) -> Image.Image:
    """Return an image that repeats a smooth pattern with dark strokes, of any mode."""
    row, column = np.mgrid[0:500, 0:500]
    pattern = np.stack([row // 2, column // 2, (row + column) // 4, 255 - row // 4], axis=2).astype(np.uint8)
    pattern[(row % 50 < 6) & (column % 70 < 55)] = (40, 30, 20, 255)
    pixels = np.tile(pattern, (side // 500 + 1, side // 500 + 1, 1))[:side, :side]
    if mode in ("I;16", "I"):
        return Image.fromarray(pixels[:, :, 0].astype(np.uint16 if mode == "I;16" else np.int32) * 257)
    return Image.fromarray(np.ascontiguousarray(pixels if mode == "RGBA" else pixels[:, :, :3])).convert(mode)


def measure(mode: str, suffix: str, options: dict[str, Any], side: int) -> dict[str, Any]:
    """Write an image, and decode it in a process of its own."""
    options = dict(options)
    if orientation := options.pop("orientation", None):
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = orientation
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder, f"large.{suffix}"), Path(folder, f"small.{suffix}")
        for path, length in ((large, side), (small, 64)):
            draw(mode, length).save(path, **options)
        command = [sys.executable, "-c", DECODE, str(large), str(small)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return {"megabytes": round(large.stat().st_size / 1e6, 1), **json.loads(done.stdout)}


def main() -> None:
    """Measure every case, print a table and write result.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=9000, help="width and height of the images in pixels")
    parser.add_argument("--only", default="", help="measure the cases whose name contains this")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    results = {}
    for name, case in CASES.items():
        if options.only in name:
            results[name] = measure(*case, options.side)
            print(f"| {name} | {results[name]['bytes_per_pixel']:.1f} | {results[name]['seconds']:.1f} |", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "result.json").write_text(json.dumps({"side": options.side, **results}, indent=1) + "\n")


if __name__ == "__main__":
    main()

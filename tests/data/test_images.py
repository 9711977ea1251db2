"""One reader of image files: every bit that a file holds, by one rule for a dataset and for a single picture."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mnistarena.data.image_lists import ImageParams, read_images
from mnistarena.data.images import ImageRules, inspect, open_image, read_picture
from mnistarena.errors import DataError

TWELVE = np.random.RandomState(0).randint(0, 4096, (5, 7, 3)).astype(np.uint16)
"""Values of 12 bits, as cameras and scanners write them into files of 16."""
TWELVE[0, 0] = 4095


def png16(values, *, clear=None):
    """A PNG file of 16 bits a channel: `(H, W, C)`, C of 1 to 4; `clear` is the colour that is transparent."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    if clear is not None:
        chunks.insert(1, (b"tRNS", np.array(clear, ">u2").tobytes()))
    whole = b"\x89PNG\r\n\x1a\n"
    for name, content in chunks:
        whole += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return whole


def pnm(values, white):
    return b"P%d 7 5 %d\n" % (6 if values.ndim == 3 else 5, white) + values.astype(">u2").tobytes()


def saved(values, form, **options):
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, form, **options)
    return stream.getvalue()


def pixels(content, **rules):
    """The image by the rules, `(C, H, W)`; a dataset of this image alone has the same pixels."""
    channels = rules.pop("channels", 3)
    found = read_picture(content, ImageRules(channels, (5, 7), **rules)).image
    together = read_images([("one", content)], ImageParams(channels=channels, **rules), where="x")
    assert np.array_equal(together.images[0], found)
    return found


def scaled(values, white):
    """Whole numbers v as v × 255 // white."""
    result = values.astype(np.int64) * 255 // white
    return np.moveaxis(result, -1, 0) if values.ndim == 3 else result[None]


GREY = TWELVE[..., 0]


@pytest.mark.parametrize(
    ("content", "values"),
    [
        pytest.param(png16(TWELVE), TWELVE, id="png colour"),
        pytest.param(png16(TWELVE[..., :1]), GREY, id="png grey"),
        pytest.param(saved(GREY, "TIFF"), GREY, id="tiff grey"),
        pytest.param(saved(GREY, "TIFF", compression="tiff_lzw"), GREY, id="tiff grey, compressed"),
        pytest.param(saved(GREY.astype(np.int32), "TIFF"), GREY, id="tiff 32 bits"),
        pytest.param(saved(GREY, "JPEG2000", irreversible=False), GREY, id="jpeg 2000"),
        pytest.param(pnm(GREY, 65_535), GREY, id="pgm"),
        pytest.param(pnm(GREY, 4095), GREY, id="pgm of 12 bits"),
    ],
)
def test_a_number_says_which_value_is_white_and_no_bit_is_lost(content, values):
    channels = 1 if values.ndim == 2 else 3
    assert np.array_equal(pixels(content, channels=channels, depth=4095), scaled(values, 4095))
    with pytest.raises(DataError, match=r"1 of 1 images have (12|16|32) bits a channel.*: one; write depth ="):
        read_images([("one", content)], ImageParams(), where="x")


def test_scale_takes_the_white_of_the_format_and_dark_images_ask_for_a_number():
    wide = TWELVE * 16
    assert np.array_equal(pixels(png16(wide), depth="scale"), scaled(wide, 65_535))
    assert np.array_equal(pixels(pnm(GREY, 4095), channels=1, depth="scale"), scaled(GREY, 4095))
    with pytest.raises(DataError, match="is 4,095, so all would be dark: write depth = 4095, or depth = 65535 if"):
        pixels(png16(TWELVE), depth="scale")
    assert np.array_equal(pixels(png16(TWELVE), depth=65_535), scaled(TWELVE, 65_535))
    notes = read_picture(png16(TWELVE), ImageRules(3, (5, 7), depth="scale")).notes
    assert notes == ("16 bits scaled to 8, its highest value is 6% of white",)


def test_numbers_with_a_fraction_need_their_white():
    shares = (GREY / 4095).astype(np.float32)
    with pytest.raises(DataError, match="format does not say which number is white: one; write depth = the number"):
        read_images([("one", saved(shares, "TIFF"))], ImageParams(depth="scale"), where="x")
    assert np.array_equal(pixels(saved(shares, "TIFF"), channels=1, depth=1)[0], np.rint(GREY / 4095 * 255))
    shares[1, 1] = np.nan
    with pytest.raises(DataError, match="values that are not numbers"):
        pixels(saved(shares, "TIFF"), channels=1, depth=1)


def test_where_pillow_keeps_the_high_byte_a_number_is_refused():
    content = pnm(TWELVE, 65_535)
    with pytest.raises(DataError, match='reads the 8 highest bits only: one; write depth = "scale" .* convert'):
        read_images([("one", content)], ImageParams(depth=4095), where="x")
    wide = pixels(pnm(TWELVE * 16, 65_535), depth="scale")
    assert np.abs(wide - scaled(TWELVE * 16, 65_535)).max() <= 1
    with pytest.raises(DataError, match="1 of 1 images have 16 bits"):
        read_images([("one", saved(TWELVE.astype(np.uint8), "SGI", bpc=2))], ImageParams(), where="x")


def test_opacity_of_16_bits_puts_the_image_on_white():
    grey = np.dstack([TWELVE[..., 0] * 16, np.full((5, 7), 65_535, np.uint16)])
    assert np.array_equal(pixels(png16(grey), channels=1, depth="scale"), scaled(grey[..., 0], 65_535))
    grey[2, 3, 1] = 0
    assert pixels(png16(grey), channels=1, depth="scale")[0, 2, 3] == 255
    clear = tuple(int(value) for value in TWELVE[2, 3])
    found = pixels(png16(TWELVE, clear=clear), depth=4095)
    assert found[:, 2, 3].tolist() == [255, 255, 255]
    assert np.array_equal(found[:, 3], scaled(TWELVE, 4095)[:, 3])


def test_a_file_says_grey_and_its_upright_size_before_it_is_decoded(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for form, options in (("PNG", {}), ("JPEG", {}), ("TIFF", {}), ("WEBP", {})):
        path = tmp_path / f"a.{form.lower()}"
        Image.new("RGB", (9, 4)).save(path, form, exif=exif, **options)
        with open_image(path) as opened:
            header = inspect(opened, path)
        assert (header.grey, header.size, header.depth.bits) == (False, (9, 4), 8)
        assert read_picture(path, ImageRules(3, (9, 4))).notes == ()
    content = png16(TWELVE[..., :2])
    with open_image(content) as opened:
        assert inspect(opened, content).grey


@pytest.mark.parametrize("exif", [b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0MM\0*\0\0\0\x08\0\xff", b"nonsense"])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_corrupt_exif_is_no_reason_to_refuse_good_pixels(form, exif, recwarn, capfd):
    grey = TWELVE[..., :1].repeat(3, 2).astype(np.uint8)
    content = saved(grey, form, exif=exif)
    read = read_picture(content, ImageRules(3, (5, 7)))
    assert not recwarn.list
    assert np.array_equal(read.image, np.moveaxis(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")), -1, 0))
    assert capfd.readouterr() == ("", "")


def test_the_ways_to_fit_an_image_into_its_size():
    tall = np.full((8, 4), 200, np.uint8)
    tall[2:6, 1:3] = 50
    tall = saved(tall, "PNG")
    rows = {fit: read_picture(tall, ImageRules(1, (8, 8), fit=fit)).image[0] for fit in ("stretch", "pad", "crop")}
    assert rows["stretch"][3, [0, 3, 4, 7]].tolist() == [200, 50, 50, 200]
    assert rows["pad"][3].tolist() == [200, 200, 200, 50, 50, 200, 200, 200]
    assert rows["crop"][3, [0, 3, 4, 7]].tolist() == [200, 50, 50, 200]
    halves = saved(np.repeat(np.array([[0], [255], [255], [0]], np.uint8), 2, 1).repeat(2, 0), "PNG")
    assert read_picture(halves, ImageRules(1, (2, 2), fit="crop")).image.min() == 255
    colours = saved(np.array([[[9, 8, 7], [9, 8, 7]]], np.uint8), "PNG")
    assert read_picture(colours, ImageRules(3, (2, 2), fit="pad")).image[:, 1].tolist() == [[9, 9], [8, 8], [7, 7]]
    inverted = read_picture(tall, ImageRules(1, (8, 8), fit="pad", invert=True)).image[0, 3]
    assert inverted.tolist() == [55, 55, 55, 205, 205, 55, 55, 55]


def test_what_is_no_image_is_named(capfd):
    rules = ImageRules(1, (4, 4))
    for content, sentence in (
        (
            b"version https://git-lfs.github.com/spec/v1\noid",
            "it is a pointer of Git LFS; fetch what it points to: git lfs pull",
        ),
        (b"<!DOCTYPE html><title>Log in</title>", "it is an HTML page; get the file itself"),
        (b"", "an empty file"),
        (b"GIF, or so it says", "not an image that Pillow reads"),
        (saved(GREY.astype(np.uint8), "PNG")[:-30], "cannot read a.png: "),
    ):
        with pytest.raises(DataError, match=sentence):
            read_picture(content, rules, name="a.png")
    damaged = bytearray(saved(TWELVE.astype(np.uint8), "TIFF", compression="tiff_lzw"))
    damaged[10:40] = b"\xff" * 30  # libtiff itself would write of it to the terminal
    with pytest.raises(DataError, match=r"cannot read a\.png: "):
        read_picture(bytes(damaged), rules, name="a.png")
    assert capfd.readouterr() == ("", "")

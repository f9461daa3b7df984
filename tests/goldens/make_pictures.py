"""Pictures in files of every kind, and what Pillow makes of them: pixels, other sizes, and the numbers that models
read, [3, S, S], by the definitions of ViT's and CLIP's processors in numpy. Written to the folder pictures.

Needs Pillow and numpy. Expected pixels are PPM files; numbers are float32, one behind the other, in values.bin."""
import os
import numpy as np
from PIL import Image

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pictures")
os.makedirs(HERE, exist_ok=True)
W, H = 37, 23
y, x = np.mgrid[0:H, 0:W]
smooth = np.stack([x * 255 / (W - 1), y * 255 / (H - 1), 127 + 100 * np.sin(x / 6 + y / 5)], -1)
sharp = smooth.copy()
sharp[5:14, 8:20] = [250, 10, 30]
sharp[(x + y) % 7 == 0] = [0, 0, 0]
sharp = Image.fromarray(np.round(sharp).astype(np.uint8))
smooth = Image.fromarray(np.round(smooth).astype(np.uint8))


def to(name):
    return os.path.join(HERE, name)


def expected(name, image):
    image.convert("RGB").save(to(name + ".expected.ppm"))


sharp.save(to("rgb.png"))
sharp.save(to("rgb.bmp"))
sharp.save(to("rgb.ppm"))
expected("rgb", sharp)
alpha = sharp.copy()
alpha.putalpha(Image.fromarray(((x * 7) % 256).astype(np.uint8)))
alpha.save(to("alpha.png"))
sharp.convert("L").save(to("grey.png"))
expected("grey", sharp.convert("L"))
sharp.convert("1").save(to("bits.png"))
expected("bits", sharp.convert("1"))
palette = sharp.quantize(16)
palette.save(to("palette.png"))
expected("palette", palette)
smooth.save(to("smooth.jpg"), quality=92, subsampling=0)
smooth.save(to("progressive.jpg"), quality=92, subsampling=0, progressive=True)
smooth.convert("L").save(to("grey.jpg"), quality=92)
for name in ("smooth", "progressive"):
    expected(name, Image.open(to(name + ".jpg")))
expected("greyjpg", Image.open(to("grey.jpg")))

FILTERS = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
for name, method in FILTERS.items():
    for w, h in ((16, 16), (64, 40), (37, 9), (11, 23)):
        expected(f"{name}_{w}x{h}", sharp.resize((w, h), method))


def numbers(image, mean, std):
    values = np.asarray(image, np.float64) / 255
    return ((values - mean) / std).transpose(2, 0, 1).astype(np.float32)


half = np.full(3, 0.5)
vit = numbers(sharp.resize((16, 16), Image.BILINEAR), half, half)
S = 16  # the short side to S, the long one to int(S * long / short), then the middle
scaled = sharp.resize((int(S * W / H), S), Image.BICUBIC)
left = (scaled.width - S) // 2
clip = numbers(scaled.crop((left, 0, left + S, S)), np.array([0.48145466, 0.4578275, 0.40821073]),
               np.array([0.26862954, 0.26130258, 0.27577711]))
np.concatenate([vit.ravel(), clip.ravel()]).astype("<f4").tofile(to("values.bin"))
print(sum(os.path.getsize(to(name)) for name in os.listdir(HERE)), "bytes")

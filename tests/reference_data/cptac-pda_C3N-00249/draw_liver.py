"""Draw the liver of CPTAC-PDA case C3N-00249: hand-placed limits on key slices, a threshold inside them, morphology.

``python draw_liver.py FOLDER_OF_DICOM``, then look at the overlays it leaves beside the mask when ``--look`` is given.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage
from skimage.draw import polygon2mask

from opensirt.dicom.read import read_study

HERE = Path(__file__).parent
TOTALSEGMENTATOR_LIVER = 5
LOWEST_HU, HIGHEST_HU = 45.0, 190.0
"""On the smoothed image: half-way between fat and liver (about 100 HU in the portal phase); bone and stones lie above 190 HU."""

# (column i, row j) of the corners, by slice k counted from the feet
LIMITS: dict[int, tuple[tuple[tuple[int, int], ...], ...]] = {
    1: (((91, 222), (101, 222), (101, 246), (91, 246)),),
    2: (((90, 212), (104, 212), (106, 248), (92, 256), (86, 240)),),
    4: (((100, 198), (118, 204), (120, 232), (106, 266), (92, 266), (88, 240)),),
    8: (((104, 174), (120, 190), (124, 218), (110, 260), (92, 288), (80, 286), (86, 240), (93, 205)),),
    12: (((106, 166), (124, 180), (134, 210), (130, 250), (110, 290), (92, 308), (82, 300), (85, 270), (90, 240), (99, 195)),),
    16: (((114, 158), (124, 164), (126, 185), (133, 207), (145, 218), (165, 242), (184, 258), (178, 274), (152, 288), (128, 318),
          (110, 342), (97, 320), (85, 292), (86, 255), (94, 225), (103, 190)),),
    20: (((138, 146), (146, 150), (152, 166), (146, 178), (130, 182), (126, 200), (134, 216), (152, 222), (180, 238), (200, 248),
          (208, 258), (190, 272), (170, 300), (150, 340), (138, 362), (125, 352), (100, 322), (86, 290), (82, 260), (84, 220), (92, 195),
          (107, 170), (120, 156)),),
    24: (((150, 146), (165, 148), (176, 142), (188, 142), (210, 164), (236, 185), (240, 200), (240, 215), (246, 222), (246, 232),
          (215, 236), (245, 238), (252, 248), (245, 260), (220, 264), (205, 266), (196, 285), (180, 318), (160, 350), (150, 360),
          (138, 354), (110, 325), (94, 295), (88, 250), (91, 220), (99, 190), (116, 168), (133, 154)),),
    28: (((160, 155), (175, 140), (195, 132), (228, 132), (230, 145), (245, 178), (260, 200), (263, 225), (258, 242), (252, 250),
          (254, 258), (240, 266), (220, 264), (212, 270), (205, 290), (190, 320), (172, 348), (150, 352), (125, 338), (105, 310),
          (91, 275), (87, 245), (91, 220), (101, 195), (117, 172), (140, 155)),),
    32: (((180, 140), (240, 136), (243, 150), (255, 175), (265, 200), (276, 225), (276, 240), (266, 247), (248, 248), (252, 255),
          (235, 264), (215, 275), (205, 300), (190, 330), (160, 338), (135, 328), (110, 300), (95, 265), (88, 240), (93, 215),
          (106, 195), (127, 170), (150, 157), (170, 150)),),
    36: (((160, 162), (195, 150), (225, 146), (250, 142), (256, 155), (268, 180), (278, 215), (286, 250), (276, 250), (262, 242),
          (245, 240), (225, 262), (205, 280), (185, 305), (165, 316), (140, 316), (118, 300), (103, 275), (97, 250), (100, 225),
          (111, 200), (130, 178)),),
    38: (((150, 170), (190, 160), (230, 160), (255, 148), (262, 158), (275, 190), (285, 220), (295, 250), (285, 245), (270, 232),
          (255, 228), (245, 240), (228, 248), (215, 262), (190, 285), (170, 305), (145, 312), (120, 300), (105, 275), (100, 250),
          (102, 222), (115, 198)),),
    40: (((150, 182), (180, 173), (205, 172), (222, 185), (228, 205), (234, 225), (225, 245), (210, 262), (180, 285), (150, 297),
          (130, 292), (112, 270), (107, 240), (110, 220), (125, 200)),
         ((252, 165), (262, 158), (275, 170), (285, 205), (282, 222), (262, 212), (252, 190))),
    41: (((150, 192), (185, 180), (210, 185), (222, 205), (226, 230), (218, 250), (195, 268), (165, 285), (145, 290), (128, 280),
          (114, 255), (112, 238), (120, 218), (135, 202)),),
    42: (((150, 198), (185, 188), (205, 192), (216, 212), (218, 235), (205, 252), (175, 268), (150, 282), (132, 275), (118, 252),
          (118, 238), (128, 218)),),
    43: (((150, 210), (180, 196), (200, 198), (206, 215), (210, 230), (200, 245), (170, 262), (145, 273), (130, 262), (122, 245),
          (126, 228)),),
    44: (((160, 212), (180, 206), (192, 215), (190, 235), (165, 245), (148, 262), (136, 255), (138, 240)),),
}  # fmt: skip


def _drawn(rings: tuple[tuple[tuple[int, int], ...], ...], shape: tuple[int, int]) -> np.ndarray:
    inside = np.zeros(shape, dtype=bool)
    for ring in rings:
        inside |= polygon2mask(shape, [(j, i) for i, j in ring])
    return inside


def limits(shape: tuple[int, int, int]) -> np.ndarray:
    """The hand-placed limits on every slice; between key slices by signed distance."""
    signed = {}
    for k, rings in LIMITS.items():
        inside = _drawn(rings, shape[1:])
        signed[k] = ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside)
    out = np.zeros(shape, dtype=bool)
    keys = sorted(LIMITS)
    for low, high in zip(keys, keys[1:], strict=False):
        for k in range(low, high + 1):
            part = (k - low) / (high - low)
            out[k] |= (1 - part) * signed[low] + part * signed[high] < 0
    return out


def liver(hu: np.ndarray) -> np.ndarray:
    """The mask on the CT's voxels (slice, row, column)."""
    smooth = ndimage.gaussian_filter(hu.astype(np.float32), (0.6, 1.3, 1.3))
    inside = limits(hu.shape) & (smooth > LOWEST_HU) & (smooth < HIGHEST_HU)
    disc = ndimage.generate_binary_structure(3, 1)
    disc[0] = disc[2] = False
    inside = ndimage.binary_opening(inside, structure=disc, iterations=2)
    labels, _ = ndimage.label(inside)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    whole = labels == sizes.argmax()
    closed = ndimage.binary_closing(whole, structure=disc, iterations=3)
    filled = np.stack([ndimage.binary_fill_holes(layer) for layer in closed])
    return np.asarray(ndimage.gaussian_filter(filled.astype(np.float32), (0.0, 1.5, 1.5)) > 0.5)


def look(hu: np.ndarray, inside: np.ndarray, folder: Path) -> None:
    """Overlays to look at."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    for number, first in enumerate(range(0, 48, 16)):
        figure, axes = plt.subplots(4, 4, figsize=(22, 20))
        for axis, k in zip(axes.flat, range(first, first + 16), strict=True):
            axis.imshow(hu[k], cmap="gray", vmin=-20, vmax=200)
            axis.contour(inside[k], [0.5], colors="red", linewidths=0.8)
            axis.set(title=f"k = {k}", xlim=(60, 330), ylim=(370, 100))
        figure.tight_layout()
        figure.savefig(folder / f"liver_{number}.png", dpi=60)


def main() -> None:
    """Read, draw, write."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("dicom", type=Path)
    words.add_argument("--look", type=Path)
    stated = words.parse_args()
    study = read_study(stated.dicom, lambda _: None)
    ct = study.volumes[0].map
    inside = liver(np.asarray(ct.hu))
    lps_of_ijk = ct.grid.affine_mm[:, [2, 1, 0, 3]]
    ras_of_ijk = np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps_of_ijk
    labels = (inside * TOTALSEGMENTATOR_LIVER).astype(np.uint8).transpose(2, 1, 0)
    (HERE / "liver.nii.gz").write_bytes(gzip.compress(nib.Nifti1Image(labels, ras_of_ijk).to_bytes(), 9, mtime=0))
    print(f"{inside.sum() * ct.grid.voxel_volume_ml:.0f} mL, slices {np.flatnonzero(inside.any(axis=(1, 2)))[[0, -1]].tolist()}")
    if stated.look:
        look(np.asarray(ct.hu), inside, stated.look)


if __name__ == "__main__":
    main()

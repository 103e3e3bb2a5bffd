"""Shapes found in a photo: the magic wand and the box that turns into a mask.

OpenCV is imported inside the functions: it takes 0.1 s to load, and only these tools need it.
"""

import numpy as np

GRABCUT_SIDE = 320  # pixels of the crop's longer side: GrabCut takes time with every pixel
MARGIN_FRACTION = 0.3  # of the box's longer side: how much of what is around it GrabCut sees
ROUNDS = 4
LEAST_SHARE = 0.02  # of the box: what is smaller is no find

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels


def wand(image: np.ndarray, x: int, y: int, tolerance: float) -> np.ndarray:
    """Return the region around a pixel whose color is like that pixel's: bool (H, W).

    image: uint8 (H, W, 3), RGB. tolerance: how far each channel may be off, 0..255. Pixels are
    joined by their sides. A light blur keeps the grain of a photo from making holes.
    """
    import cv2

    smooth = cv2.medianBlur(image, 3) if min(image.shape[:2]) >= 3 else image.copy()
    found = np.zeros((image.shape[0] + 2, image.shape[1] + 2), np.uint8)
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (1 << 8)
    reach = (float(tolerance),) * 3
    cv2.floodFill(smooth, found, (int(x), int(y)), (0, 0, 0), reach, reach, flags)
    return found[1:-1, 1:-1].astype(np.bool_)


def box_to_mask(image: np.ndarray, box: Box) -> np.ndarray:
    """Return what stands out in a box from what is around it: bool (H, W), only inside the box.

    image: uint8 (H, W, 3), RGB. The whole box where nothing stands out; nothing where the box lies
    outside. Source: GrabCut (Rother, Kolmogorov, Blake, 2004), on a crop scaled to 320 pixels.
    """
    height, width = image.shape[:2]
    x0, y0 = max(int(np.floor(box[0])), 0), max(int(np.floor(box[1])), 0)
    x1, y1 = min(int(np.ceil(box[2])), width), min(int(np.ceil(box[3])), height)
    mask = np.zeros((height, width), np.bool_)
    if x0 >= x1 or y0 >= y1:
        return mask
    margin = int(MARGIN_FRACTION * max(x1 - x0, y1 - y0)) + 2
    left, top = max(x0 - margin, 0), max(y0 - margin, 0)
    crop = image[top : min(y1 + margin, height), left : min(x1 + margin, width)]
    found = _cut_out(crop, (x0 - left, y0 - top, x1 - left, y1 - top))
    mask[y0:y1, x0:x1] = found[y0 - top : y1 - top, x0 - left : x1 - left]
    if mask.sum() < LEAST_SHARE * (x1 - x0) * (y1 - y0):
        mask[y0:y1, x0:x1] = True
    return mask


def _cut_out(crop: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Return GrabCut's foreground of a crop, uint8 (h, w, 3), with a box in it: bool (h, w)."""
    import cv2

    height, width = crop.shape[:2]
    scale = min(1.0, GRABCUT_SIDE / max(height, width))
    size = max(int(width * scale), 1), max(int(height * scale), 1)
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    x0, y0, x1, y1 = (round(side * scale) for side in box)
    labels = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    labels[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = cv2.GC_PR_FGD
    if (labels == cv2.GC_BGD).all() or (labels != cv2.GC_BGD).all():
        return np.ones((height, width), np.bool_)
    cv2.setRNGSeed(0)  # the same box gives the same shape
    behind, ahead = np.zeros((1, 65)), np.zeros((1, 65))  # the color models, worked out inside
    rect = (0, 0, 0, 0)  # not used: the labels say where the box is
    cv2.grabCut(small, labels, rect, behind, ahead, ROUNDS, cv2.GC_INIT_WITH_MASK)
    is_inside = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    large = cv2.resize(is_inside.astype(np.float32), (width, height))
    return np.asarray(large >= 0.5)

"""Colours as people with a colour-vision deficiency see them.

Matrices of Machado, Oliveira and Fernandes (2009), doi:10.1109/TVCG.2009.113, at severity one,
for linear sRGB; the authors call the tritan one an approximation. Differences are Euclidean in
CIELAB (CIE 1976), where 2.3 is just noticeable.
"""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

DEFICIENCIES = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# Linear sRGB to CIE XYZ (IEC 61966-2-1); the rows add up to the white point.
_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]],
)


def linear(colour: str) -> NDArray[np.float64]:
    """Return the linear sRGB of a colour."""
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return CIELAB of linear sRGB."""
    xyz = _XYZ @ np.clip(light, 0, 1) / _XYZ.sum(axis=1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(one: str, other: str, deficiency: str) -> float:
    """Return how far apart two colours look."""
    matrix = np.array(DEFICIENCIES[deficiency])
    return float(np.linalg.norm(lab(matrix @ linear(one)) - lab(matrix @ linear(other))))


def contrast_on_white(colour: str) -> float:
    """Return the contrast ratio of the Web Content Accessibility Guidelines."""
    return 1.05 / (float(_XYZ[1] @ linear(colour)) + 0.05)

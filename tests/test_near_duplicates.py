"""Nearly the same photo in train and in test is told before it flatters the figures."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import workbench as wb
from workbench.near_duplicates import find_near_duplicates


def draw(seed: int, size: int = 96) -> np.ndarray:
    """Return a picture of smooth blobs."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC))


def save_again(image: np.ndarray) -> bytes:
    """Return the picture as a JPEG, a little smaller and brighter."""
    buffer = io.BytesIO()
    brighter = np.clip(image.astype(int) + 6, 0, 255).astype(np.uint8)
    Image.fromarray(brighter).resize((80, 80)).save(buffer, "jpeg", quality=70)
    return buffer.getvalue()


def test_a_copy_that_was_saved_again_is_found(tmp_path: Path) -> None:
    project = wb.Project.create(tmp_path / "p", "classification", ["a", "b"])
    pictures = {f"train {n}.png": draw(n) for n in range(4)}
    project.add_images(pictures, split="train", progress=False)
    assert find_near_duplicates(project.store) == []
    others = {"copy.jpg": save_again(draw(2)), "new.png": draw(9), "plain.png": 0 * draw(1) + 90}
    project.add_images(others, split="test", progress=False)
    assert find_near_duplicates(project.store) == [("train 2.png", "copy.jpg")]
    for n, image in enumerate(project.images):
        image.label = wb.ClassLabel("ab"[n % 2])
    assert any("train 2.png" in text and "copy.jpg" in text for text in warnings_of(project))
    project.images["copy.jpg"].split = "train"
    assert not any("Nearly the same" in text for text in warnings_of(project))


def warnings_of(project: wb.Project) -> tuple[str, ...]:
    """Return what speaks against a run."""
    return project.plan_training().warnings


@pytest.mark.parametrize("name", ["bolts", "parts", "tiles", "fabric"])
def test_images_that_are_merely_alike_are_not_told(tmp_path: Path, name: str) -> None:
    with wb.samples.create(name, tmp_path, count=24, progress=False) as project:
        assert find_near_duplicates(project.store) == []

"""The network that turns pixels into features, under every task: one small interface.

A RegNetX-400MF (Radosavovic et al., 2020) cut after its third stage: the fourth holds nine tenths
of the weights and sees more of the image than a defect needs. Its convolutions in groups of sixteen
channels are what a CPU does fast, in training too. weights/MODEL_CARD.md says what the shipped
weights have learned from, and tools/pretrain makes them.
"""

from pathlib import Path

import torch
import torchvision
from safetensors.torch import load_file
from torch import nn

from ..errors import InvalidSetting

SHIPPED = Path(__file__).parent / "weights" / "regnet_x_400mf.safetensors"
CHOICES = ("shipped", "imagenet", "random")
MEAN = (0.485, 0.456, 0.406)  # of ImageNet's RGB, 0..1: what torchvision's networks expect
STD = (0.229, 0.224, 0.225)
RANDOM_SEED = 18  # the same random features for every run, whatever its own seed


class Backbone(nn.Module):
    """Features of an image at strides 2, 4, 8 and 16.

    channels: of the four feature maps. origin: where the weights come from, in words.
    """

    channels = (32, 32, 64, 160)
    strides = (2, 4, 8, 16)

    def __init__(self) -> None:
        super().__init__()
        network = torchvision.models.regnet_x_400mf()
        self.stem = network.stem
        self.stages = nn.ModuleList(list(network.trunk_output)[: len(self.channels) - 1])
        self.origin = "random"

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Return four feature maps (N, C, H / stride, W / stride) of float (N, 3, H, W) images."""
        x = self.stem(images)  # (N, 32, H / 2, W / 2)
        features = [x]
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features

    @property
    def is_pretrained(self) -> bool:
        """Whether the weights have learned from images before."""
        return self.origin != "random"


class Network(nn.Module):
    """What every room builds: a network on the backbone.

    forward takes normalised float (N, 3, H, W) images and returns a tuple of tensors, which
    output_names name. calibration: how the threshold was found, where the network itself knows.
    """

    output_names: tuple[str, ...]
    backbone: Backbone
    calibration: dict[str, object] | None = None

    def move_scale(self, threshold: float) -> float:
        """Return the threshold; a network whose scale is its own moves it, so that it is 0.5."""
        return threshold


def build_backbone(weights: str = "shipped") -> Backbone:
    """Return a backbone with the weights that were asked for, or with what there is.

    weights: "shipped" takes the file in the package, and random weights while there is none;
    "imagenet" takes those that torchvision fetches, and falls back to "shipped" without a network;
    "random" starts from nothing. `origin` says which it became. Raises InvalidSetting for others.
    """
    if weights not in CHOICES:
        raise InvalidSetting(
            f"There is no backbone {weights!r}. Choose one of {', '.join(CHOICES)}."
        )
    with torch.random.fork_rng():
        torch.manual_seed(RANDOM_SEED)
        backbone = Backbone()
    state = fetch_imagenet() if weights == "imagenet" else None
    if state is not None:
        backbone.origin = "imagenet"
    elif weights != "random" and SHIPPED.exists():
        state = load_file(SHIPPED)
        backbone.origin = "shipped"
    if state is not None:
        load_regnet(backbone, state)
    return backbone


def fetch_imagenet() -> dict[str, torch.Tensor] | None:
    """Return torchvision's ImageNet weights, or None where they cannot be fetched.

    The first of two sets: the second was trained with label smoothing and mixed images, which makes
    features less fit for other tasks. Source: Why Do Better Loss Functions Lead to Less
    Transferable Features? (Kornblith et al., 2021).
    """
    weights = torchvision.models.RegNet_X_400MF_Weights.IMAGENET1K_V1
    try:
        return dict(weights.get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError):  # no network, or a broken download
        return None


def load_regnet(backbone: Backbone, state: dict[str, torch.Tensor]) -> None:
    """Copy a torchvision RegNet's weights, by its own names, into the backbone."""
    renamed = {}
    for name, value in state.items():
        for index in range(len(backbone.stages)):
            name = name.replace(f"trunk_output.block{index + 1}.", f"stages.{index}.")
        if name.startswith(("stem.", "stages.")):
            renamed[name] = value.float() if value.is_floating_point() else value
    backbone.load_state_dict(renamed)


def freeze_norms(module: nn.Module) -> None:
    """Put every batch norm of a pretrained module in evaluation mode: few images would upset it."""
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.eval()

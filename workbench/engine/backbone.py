"""The network that turns pixels into features, under every task: one small interface.

A ResNet-18 (He et al., 2016) cut after its third stage: the fourth holds three quarters of the
weights, sees more of the image than a defect needs, and costs a third of the time. Its plain wide
convolutions learn faster than the thin ones of mobile networks. weights/MODEL_CARD.md says what the
shipped weights have learned from, and tools/pretrain makes them.
"""

from pathlib import Path

import torch
import torchvision
from safetensors.torch import load_file
from torch import nn

from ..errors import InvalidSetting

WEIGHTS = Path(__file__).parent / "weights"
SHIPPED = WEIGHTS / "resnet18.safetensors"  # what an image or a patch looks like
SHIPPED_PLACES = WEIGHTS / "resnet18_places.safetensors"  # better where something is to be found
CHOICES = ("shipped", "imagenet", "random")
MEAN = (0.485, 0.456, 0.406)  # of ImageNet's RGB, 0..1: what torchvision's networks expect
STD = (0.229, 0.224, 0.225)
RANDOM_SEED = 18  # the same random features for every run, whatever its own seed


class Backbone(nn.Module):
    """Features of an image at strides 2, 4, 8 and 16.

    channels: of the four feature maps. origin: where the weights come from, in words.
    """

    channels = (64, 64, 128, 256)
    strides = (2, 4, 8, 16)

    def __init__(self) -> None:
        super().__init__()
        network = torchvision.models.resnet18()
        self.stem = nn.Sequential(network.conv1, network.bn1, network.relu)
        self.pool = network.maxpool
        self.stages = nn.ModuleList([network.layer1, network.layer2, network.layer3])
        self.origin = "random"

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Return four feature maps (N, C, H / stride, W / stride) of float (N, 3, H, W) images."""
        x = self.stem(images)  # (N, 64, H / 2, W / 2)
        features = [x]
        x = self.pool(x)  # (N, 64, H / 4, W / 4)
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features

    @property
    def first_layers(self) -> tuple[nn.Module, ...]:
        """The layers up to stride 4, which see no more than edges, spots and colors."""
        return self.stem, self.stages[0]

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


def build_backbone(weights: str = "shipped", shipped: Path = SHIPPED) -> Backbone:
    """Return a backbone with the weights that were asked for, or with what there is.

    weights: "shipped" takes the file `shipped` of the package; "imagenet" takes the weights that
    torchvision fetches, and falls back to "shipped" without a network; "random" starts from
    nothing. `origin` says which it became. Raises InvalidSetting for others.
    """
    if weights not in CHOICES:
        raise InvalidSetting(
            f"There is no backbone {weights!r}. Choose one of {', '.join(CHOICES)}."
        )
    state = fetch_imagenet() if weights == "imagenet" else None
    with torch.random.fork_rng():
        torch.manual_seed(RANDOM_SEED)
        backbone = Backbone()
    if state is not None:
        backbone.origin = "imagenet"
    elif weights != "random":
        state = load_file(shipped)
        backbone.origin = "shipped"
    if state is not None:
        load_resnet(backbone, state)
    return backbone


def fetch_imagenet() -> dict[str, torch.Tensor] | None:
    """Return torchvision's ImageNet weights of ResNet-18, or None where they cannot be fetched."""
    weights = torchvision.models.ResNet18_Weights.IMAGENET1K_V1
    try:
        return dict(weights.get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError):  # no network, or a broken download
        return None


def load_resnet(backbone: Backbone, state: dict[str, torch.Tensor]) -> None:
    """Copy a torchvision ResNet's weights, by its own names, into the backbone."""
    names = {"conv1": "stem.0", "bn1": "stem.1"}
    names |= {f"layer{i + 1}": f"stages.{i}" for i in range(len(backbone.stages))}
    parts = ((name.partition("."), value) for name, value in state.items())
    backbone.load_state_dict(
        {f"{names[first]}.{rest}": value for (first, _, rest), value in parts if first in names}
    )


def freeze_norms(module: nn.Module) -> None:
    """Put every batch norm of a module in evaluation mode: its statistics stay."""
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.eval()

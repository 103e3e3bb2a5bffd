"""The networks that are compared: torchvision's small ones, cut at stride 16, as feature maps."""

from collections.abc import Mapping

import torch
import torchvision
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.models.resnet import BasicBlock, ResNet

# {network: where its maps of strides 4, 8 and 16 end}
NODES = {
    "resnet10": ("layer1", "layer2", "layer3"),
    "resnet18": ("layer1", "layer2", "layer3"),
    "regnet_x_400mf": ("trunk_output.block1", "trunk_output.block2", "trunk_output.block3"),
    "regnet_x_800mf": ("trunk_output.block1", "trunk_output.block2", "trunk_output.block3"),
    "mobilenet_v2": ("features.3", "features.6", "features.13"),
    "mobilenet_v3_large": ("features.3", "features.6", "features.12"),
    "efficientnet_b0": ("features.2", "features.3", "features.5"),
    "mnasnet1_0": ("layers.8", "layers.9", "layers.11"),
    "shufflenet_v2_x1_0": ("maxpool", "stage2", "stage3"),
    "squeezenet1_0": ("features.5", "features.10", "features.12"),
}


def build(name: str) -> nn.Module:
    """Return a network with random weights; "resnet10" is a ResNet-18 with one block a stage."""
    if name == "resnet10":
        return ResNet(BasicBlock, [1, 1, 1, 1])
    network: nn.Module = torchvision.models.get_model(name)
    return network


class Trunk(nn.Module):
    """A network as its maps at strides 4, 8 and 16, with torchvision's own names of weights.

    network: may hold weights already. further: the name of one more map. count: how many of the
    three; what comes after them is cut off. channels: of the maps.
    """

    def __init__(
        self, name: str, network: nn.Module | None = None, further: str = "", count: int = 3
    ) -> None:
        super().__init__()
        network = build(name) if network is None else network
        self.network = create_feature_extractor(
            network, [*NODES[name][:count], *([further] if further else [])]
        )
        with torch.inference_mode():
            maps = self.eval()(torch.zeros(1, 3, 64, 64))
        self.channels = [features.shape[1] for features in maps]

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Return maps (N, C, H / stride, W / stride) of normalised float (N, 3, H, W) images."""
        return list(self.network(images).values())

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take weights by torchvision's names; those of parts that were cut off are left out."""
        own = self.network.state_dict()
        self.network.load_state_dict(
            {key: value.to(own[key].dtype) for key, value in state.items() if key in own}
        )

"""A Vision Transformer of Hugging Face's transformers (Dosovitskiy et al. 2021), made from a config, from scratch."""

from importlib.util import find_spec

from pydantic import Field, model_validator

from mnistarena import ModelDef, Params, hookimpl

MISSING = 'transformers is not installed; call pip install "mnistarena[examples]", or leave huggingface-vit out'


class HuggingFaceVitParams(Params):
    """Parameters of the config."""

    patch: int = Field(4, ge=1, le=64, description="side of a patch")
    width: int = Field(64, ge=1, le=4096, description="length of a token")
    layers: int = Field(4, ge=1, le=48, description="transformer blocks")
    heads: int = Field(4, ge=1, le=64, description="attention heads; they share the width")
    dropout: float = Field(0.0, ge=0, lt=1, description="in the blocks")

    @model_validator(mode="after")
    def _heads_fit(self):
        if self.width % self.heads:
            raise ValueError(f'"width" {self.width} is no multiple of "heads" {self.heads}')
        return self


def check(params, task):
    """Whole patches only, where transformers is installed."""
    if find_spec("transformers") is None:
        return MISSING
    _, height, width = task.image_shape
    if height % params.patch or width % params.patch:
        return (
            f"{height} × {width} pixels are no whole patches of {params.patch}; put "
            f'{{ name = "resize", size = {params.patch * 7} }} into its transforms'
        )
    return None


def build(params, task):
    """The network as transformers makes it: the engine takes the logits out of what its forward returns."""
    from transformers.models.vit.configuration_vit import ViTConfig
    from transformers.models.vit.modeling_vit import ViTForImageClassification

    channels, height, width = task.image_shape
    config = ViTConfig(
        image_size=(height, width),
        num_channels=channels,
        patch_size=params.patch,
        hidden_size=params.width,
        num_hidden_layers=params.layers,
        num_attention_heads=params.heads,
        intermediate_size=2 * params.width,
        hidden_dropout_prob=params.dropout,
        num_labels=task.n_classes,
    )
    return ViTForImageClassification(config)


@hookimpl
def arena_models():
    """One model."""
    summary = "a ViT of Hugging Face's transformers, from scratch (Dosovitskiy et al. 2021)"
    return [ModelDef("huggingface-vit", summary, params=HuggingFaceVitParams, build=build, check=check)]

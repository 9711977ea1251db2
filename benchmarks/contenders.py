"""The same network trained by others: the stock PyTorch loop, Lightning, skorch, a hand-written tight loop; and by us.

Each returns images a second over one epoch of `n` images, warm-up excluded: batches of 64, Adam, cross-entropy on
logits; the original notebook's CNN at 0.001, or another of NETWORKS.
"""

from __future__ import annotations

import time
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Subset
from torchvision import transforms

from benchmarks.networks import NETWORKS, NotebookCnn
from mnistarena import DataContext
from mnistarena.data.dataset import task_of
from mnistarena.data.splits import SplitRule, split_dataset
from mnistarena.engine.measure import synchronize
from mnistarena.engine.training import train
from mnistarena.plugin.registry import installed
from mnistarena.trial.run import choose_kernels

MEAN, DEVIATION = 0.1307, 0.3081


@lru_cache(maxsize=4)
def mnist(n: int) -> tuple[Any, Any, Any]:
    """Images uint8, labels, and the task, of `n` stratified training images."""
    definition = installed().get("dataset", "mnist").definition
    loaded = definition.load(definition.params(), DataContext(Path(), download=False))
    parts = split_dataset(loaded, SplitRule(train_limit=n))
    return loaded.train_images[parts.train], loaded.train_labels[parts.train], task_of(loaded, parts)


class Pictures(torch.utils.data.Dataset):
    """MNIST as torchvision gives it: a PIL image and a label at a time, transformed one by one."""

    def __init__(self, images: Any, labels: Any, network: str = "cnn") -> None:
        self.images, self.labels = np.array(images), labels
        self.to_pil = transforms.ToPILImage()
        normal = transforms.ToTensor(), transforms.Normalize((MEAN,), (DEVIATION,))
        self.transform = transforms.Compose([*NETWORKS[network].pictures, *normal])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.to_pil(torch.from_numpy(self.images[index]))), int(self.labels[index])


def stock(n: int, device: str = "cpu", network: str = "cnn") -> float:
    """A Dataset of PIL images, a DataLoader, Adam, `.item()` every batch, as tutorials and the original notebook do."""
    images, labels, _ = mnist(n)
    model, pictures = NETWORKS[network].written().to(device).train(), Pictures(images, labels, network)
    optimizer = torch.optim.Adam(model.parameters(), lr=NETWORKS[network].rate)
    criterion = nn.CrossEntropyLoss()

    def epoch(dataset: Any) -> None:
        total = 0.0
        for batch, wanted in DataLoader(dataset, batch_size=64, shuffle=True):
            batch, wanted = batch.to(device), wanted.to(device)
            optimizer.zero_grad()
            loss = criterion(model(batch), wanted)
            loss.backward()
            optimizer.step()
            total += loss.item()

    epoch(Subset(pictures, range(64)))
    began = time.perf_counter()
    epoch(pictures)
    return n / (time.perf_counter() - began)


def lightning(n: int, device: str = "cpu", network: str = "cnn", precision: str = "32-true") -> float:
    """Lightning's Trainer on the same dataset, with everything off that is not training; `precision` by its names."""
    import logging

    import lightning.pytorch as pl

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    images, labels, _ = mnist(n)

    class Lit(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = NETWORKS[network].written()

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            return functional.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=NETWORKS[network].rate)

    class Clock(pl.Callback):
        began = took = 0.0

        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
            self.began = time.perf_counter()

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            synchronize(module.device)
            self.took = time.perf_counter() - self.began

    clock, lit, pictures = Clock(), Lit(), Pictures(images, labels, network)
    for dataset in (Subset(pictures, range(64)), pictures):
        trainer = pl.Trainer(
            max_epochs=1,
            accelerator="gpu" if device == "cuda" else "cpu",
            devices=1,
            precision=precision,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[clock],
        )
        trainer.fit(lit, DataLoader(dataset, batch_size=64, shuffle=True))
    return n / clock.took


def skorch(n: int, ready: bool = False) -> float:
    """skorch's NeuralNetClassifier on the same dataset; with `ready`, on an array, which spares it the pictures."""
    from skorch import NeuralNetClassifier
    from skorch.callbacks import Callback

    images, labels, _ = mnist(n)

    class Clock(Callback):
        began = took = 0.0

        def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
            self.began = time.perf_counter()

        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            self.took = time.perf_counter() - self.began

    clock = Clock()
    net = NeuralNetClassifier(
        NotebookCnn,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.001,
        batch_size=64,
        max_epochs=1,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks=[clock],
        verbose=0,
    )
    if ready:
        x = ((images.astype(np.float32) / 255 - MEAN) / DEVIATION).astype(np.float32)
        net.partial_fit(x[:64], labels[:64])
        net.partial_fit(x, labels)
    else:
        net.partial_fit(Subset(Pictures(images, labels), range(64)), None)
        net.partial_fit(Pictures(images, labels), None)
    return n / clock.took


def skorch_ready(n: int) -> float:
    """skorch on ready arrays."""
    return skorch(n, ready=True)


def tight(n: int) -> float:
    """A loop by hand with every trick of this engine and nothing else: the honest lower bound of its overhead."""
    images, labels, _ = mnist(n)
    model = NotebookCnn(pool_first=True).to(memory_format=torch.channels_last).train()
    x = (torch.from_numpy(images).float() / 255 - MEAN) / DEVIATION
    y = torch.from_numpy(labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, fused=True)
    functional.cross_entropy(model(x[:64]), y[:64]).backward()
    began = time.perf_counter()
    total = torch.zeros(())
    for rows in torch.randperm(n).split(64):
        loss = functional.cross_entropy(model(x.index_select(0, rows)), y.index_select(0, rows))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(rows)
    total.item()
    return n / (time.perf_counter() - began)


def engine(
    n: int,
    device: str = "cpu",
    network: str = "cnn",
    precision: str = "float32",
    graph: bool = True,
    tf32: bool = True,
) -> float:
    """This engine, as it reports itself; on a GPU with the kernels of a trial, or without TF32."""
    where = torch.device(device)
    choose_kernels(where)
    if where.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    model, batches = NETWORKS[network].made(*mnist(n), where)
    return train(model, batches, NETWORKS[network].recipe(precision, graph), seed=0)["images_per_second"] or 0.0


def engine_bf16(n: int) -> float:
    """This engine in bf16: what `precision = "auto"` is for `cnn` on a processor that computes in bf16 itself."""
    return engine(n, precision="bf16")


def lightning_bf16(n: int) -> float:
    """Lightning in bf16."""
    return lightning(n, precision="bf16-mixed")


def flops_per_trained_image() -> float:
    """Floating-point operations of one image forward and backward through that CNN, as torch counts."""
    from torch.utils.flop_counter import FlopCounterMode

    model = NotebookCnn()
    with FlopCounterMode(display=False) as counter:
        functional.cross_entropy(model(torch.rand(1, 1, 28, 28)), torch.zeros(1, dtype=torch.long)).backward()
    return float(counter.get_total_flops())


def gemm_rate(threads: int) -> float:
    """The machine's roof: the best rate of float32 matrix products of several sizes, in FLOP/s."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    best = 0.0
    for size in (512, 1024, 2048):
        a, b, c = torch.randn(size, size), torch.randn(size, size), torch.empty(size, size)
        torch.mm(a, b, out=c)
        for _ in range(3):
            began, times = time.perf_counter(), 0
            while time.perf_counter() - began < 0.15:
                torch.mm(a, b, out=c)
                times += 1
            best = max(best, 2 * size**3 * times / (time.perf_counter() - began))
    torch.set_num_threads(before)
    return best

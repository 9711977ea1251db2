"""`arena export-model`."""

from __future__ import annotations

from pathlib import Path

import click

from mnistarena.cli.options import trial_options


@click.command("export-model")
@trial_options
@click.option(
    "--output", "-o", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="model.onnx"
)
@click.option("--force", is_flag=True, help="Overwrite FILE where it exists.")
def command(run: Path, label: str, dataset: str | None, seed: int | None, output: Path, force: bool) -> None:
    """The trained model LABEL of RUN, a run folder, as an ONNX file that needs neither torch nor mnistarena.

    From "images", float (n, C, H, W) in [0, 1] of the dataset's size, to "probabilities" (n, classes); the
    model's own transforms are inside. Run by onnxruntime it must say of the test images what torch says, or
    no file is written. Exit status: 0; 1 when it does not or cannot be exported; 2 when the model cannot
    be had.
    """
    from mnistarena import onnxfile, origin
    from mnistarena.errors import StoreError, TrialError
    from mnistarena.files import write_atomically
    from mnistarena.restore import restore
    from mnistarena.results import load_run
    from mnistarena.text import visible

    if missing := onnxfile.missing():
        raise click.ClickException(f'{", ".join(missing)} must be installed: pip install "mnistarena[onnx]"')
    if output.exists() and not force:
        raise StoreError(f"{output} exists; --force overwrites it")
    found = load_run(run)
    trial = origin.find(found, label, dataset, seed)
    restored = restore(
        found, trial, refit=False, warn=lambda sentence: click.echo(f"warning: {visible(sentence)}", err=True)
    )
    data = onnxfile.export(restored)
    images = found.test_split(trial.dataset)["images"][: onnxfile.CHECKED]
    largest = onnxfile.difference(data, restored, images)
    said = f"largest difference of a probability from torch's, on {len(images)} test images: {largest:.2g}"
    if not largest <= onnxfile.TOLERANCE:
        raise TrialError(f"{said}; more than {onnxfile.TOLERANCE:g}, so {output} is not written")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise StoreError(f"cannot write {output}: {problem.strerror}") from problem
    write_atomically(output, data)
    click.echo(f"{output}: {visible(trial.name)}, {len(data):,} bytes; {said}")

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
def command(
    run: Path,
    label: str,
    dataset: str | None,
    seed: int | None,
    plugins: tuple[Path, ...],
    output: Path,
    force: bool,
) -> None:
    """Write the trained model LABEL of RUN, a run folder, as an ONNX file that needs neither torch nor mnistarena.

    From "images", float (n, C, H, W) in [0, 1] of the dataset's size, to "probabilities" (n, classes), or "scores" or
    "labels" where the model gives those; the model's own transforms are inside. A scikit-learn classifier is
    converted by skl2onnx. Run by onnxruntime the file must predict the test images as the model does, or none
    is written. Exit status: 0; 1 when it does not or cannot be exported; 2 when the model cannot be had.
    """
    from mnistarena.errors import StoreError, TrialError
    from mnistarena.inference import onnx
    from mnistarena.inference.find import find_trial
    from mnistarena.inference.restore import restore
    from mnistarena.store.files import write_file
    from mnistarena.store.results import read_run
    from mnistarena.text import visible

    if missing := onnx.missing_packages():
        raise click.ClickException(f'{", ".join(missing)} must be installed: pip install "mnistarena[onnx]"')
    if output.exists() and not force:
        raise StoreError(f"{output} exists; --force overwrites it")
    found = read_run(run)
    trial = find_trial(found, label, dataset=dataset, seed=seed)
    restored = restore(
        found,
        trial,
        plugins=plugins,
        warn=lambda sentence: click.echo(f"warning: {visible(sentence)}", err=True),
    )
    data = onnx.export(restored)
    images = found.test_split(trial.dataset)["images"][: onnx.CHECKED]
    largest = onnx.difference(data, restored, images)
    own = f"the model's own {onnx.output_name(restored)}"
    said = f"largest difference from {own}, on {len(images)} test images: {largest:.2g}"
    if not largest <= onnx.TOLERANCE:
        raise TrialError(f"{said}; more than {onnx.TOLERANCE:g}, so {output} is not written")
    write_file(output, data)
    click.echo(f"{output}: {visible(trial.name)}, {len(data):,} bytes; {said}")

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
@click.option(
    "--benchmark", is_flag=True, help="Also write FILE in int8; compare speed and accuracy of both with the model's."
)
def command(
    run: Path,
    label: str,
    dataset: str | None,
    seed: int | None,
    plugins: tuple[Path, ...],
    output: Path,
    force: bool,
    benchmark: bool,
) -> None:
    """Write the trained model LABEL of RUN, a run folder, as an ONNX file that needs neither torch nor mnistarena.

    From "images", float (n, C, H, W) in [0, 1] of the dataset's size, to "probabilities" (n, classes), or "scores" or
    "labels" where the model gives those; the model's own transforms are inside. A scikit-learn classifier is
    converted by skl2onnx. Run by onnxruntime the file must predict the test images as the model does, or none
    is written. With --benchmark, a second file, of torch modules, computes in int8, calibrated on training images;
    a table gives the latency of each and, with a verdict, how its accuracy differs from the trained model's. Exit
    status: 0; 1 when it does not or cannot be exported; 2 when the model cannot be had.
    """
    from mnistarena.cli.exported import compared
    from mnistarena.errors import StoreError, TrialError
    from mnistarena.inference import onnx
    from mnistarena.inference.find import find_trial
    from mnistarena.inference.restore import restore
    from mnistarena.store.files import write_file
    from mnistarena.store.results import read_run
    from mnistarena.text import visible

    if missing := onnx.missing_packages():
        raise click.ClickException(f'{", ".join(missing)} must be installed: pip install "mnistarena[onnx]"')
    small = output.with_suffix(".int8.onnx")
    for file in (output, small) if benchmark else (output,):
        if file.exists() and not force:
            raise StoreError(f"{file} exists; --force overwrites it")
    found = read_run(run)
    trial = find_trial(found, label, dataset=dataset, seed=seed)

    def warn(sentence: str) -> None:
        click.echo(f"warning: {visible(sentence)}", err=True)

    restored = restore(found, trial, plugins=plugins, warn=warn)
    data = onnx.export(restored)
    images = found.test_split(trial.dataset)["images"][: onnx.CHECKED]
    largest = onnx.difference(data, restored, images)
    own = f"the model's own {onnx.output_name(restored)}"
    said = f"largest difference from {own}, on {len(images)} test images: {largest:.2g}"
    if not largest <= onnx.TOLERANCE:
        raise TrialError(f"{said}; more than {onnx.TOLERANCE:g}, so {output} is not written")
    write_file(output, data)
    click.echo(f"{output}: {visible(trial.name)}, {len(data):,} bytes; {said}")
    if benchmark:
        compared(found, restored, data, small=small, plugins=plugins, warn=warn)

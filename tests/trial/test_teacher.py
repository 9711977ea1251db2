"""A model that learns from what another run trained: which teacher it is, what it answers, and what is refused."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import mnistarena
from mnistarena import ArenaError, PrepareContext, Task
from mnistarena.plugin.registry import installed
from mnistarena.plugin.single_file import plugin_file
from mnistarena.pretrained import TeacherParams, prepare_teacher
from mnistarena.testing import Nonconformity, checks

from ..helpers import ROOT, by_label, records
from .test_own_training import digits

TEACHERS = '''
import torch
from torch import nn
from torch.nn import functional

from mnistarena import ModelDef, Params, hookimpl


class NoParams(Params):
    pass


class Elder(nn.Module):
    """It works on contiguous images only, and answers at random in training mode."""

    def __init__(self, task, output):
        super().__init__()
        self.output = output
        self.net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Dropout(0.5))
        self.last = nn.Linear(8 * 36, task.n_classes)

    def forward(self, images):
        logits = self.last(self.net(images).view(len(images), -1))
        return logits.softmax(1) if self.output == "probabilities" else logits

    def training_loss(self, images, labels):
        return functional.cross_entropy(self.last(self.net(images).flatten(1)), labels)


@hookimpl
def arena_models():
    for name, output in (("elder", None), ("sayer", "probabilities")):
        build = lambda params, task, output=output: Elder(task, output)
        yield ModelDef(name, name, params=NoParams, build=build, output=output)
'''

STUDENTS = """
import torch
from torch import nn
from torch.nn import functional

from mnistarena import ModelDef, hookimpl
from mnistarena.pretrained import TeacherParams, prepare_teacher


class Student(nn.Module):
    def __init__(self, params, task):
        super().__init__()
        self.params = params
        layers = nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, task.n_classes)
        self.net = nn.Sequential(nn.Flatten(), *layers)
        self.register_buffer("answers", None)

    def forward(self, images):
        return self.net(images)

    def fit(self, training):
        before = torch.get_rng_state()
        self.teacher = training.teacher(self.params)
        assert torch.equal(before, torch.get_rng_state())
        self.train()
        self.answers = torch.cat([self.teacher(images) for images, _ in training.in_order()])
        optimizer = torch.optim.Adam(self.parameters(), lr=0.01)
        first = 0
        if (state := training.resume()) is not None:
            optimizer.load_state_dict(state["optimizer"])
            first = state["epoch"]
        for epoch in range(first, training.epochs):
            for images, _ in training.batches(epoch):
                wanted = self.teacher(images).log_softmax(1)
                loss = functional.kl_div(self(images).log_softmax(1), wanted, log_target=True, reduction="batchmean")
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                training.step(loss)
            training.checkpoint({"optimizer": optimizer.state_dict(), "epoch": epoch + 1})


@hookimpl
def arena_models():
    for name, prepare in (("student", prepare_teacher), ("unprepared", None)):
        yield ModelDef(name, name, params=TeacherParams, build=Student, prepare=prepare, uses=("epochs", "batch_size"))
"""

DATASET = """
[[dataset]]
name = "digits"
validation = 200
transforms = ["normalize"]
"""

SPEC = """
plugins = {plugins}
[benchmark]
name = "x"
metrics = ["accuracy"]
seeds = [0]
[training]
{length}
batch_size = 64
"""


def spec(path, *models, length="epochs = 2", datasets=DATASET, plugins=("teachers.py", "students.py")):
    tables = "".join(f"[[model]]\n{model}\n" for model in models)
    path.write_text(SPEC.format(plugins=json.dumps(plugins), length=length) + datasets + tables)
    return path


def student(teacher, label="student", name="student", more=""):
    return f'name = "{name}"\nlabel = "{label}"\nparams = {{ teacher = "{teacher}" }}\n{more}'


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    """Runs that trained teachers: `one` on a dataset, `two` on two of the same name and shape. Not to be changed."""
    folder = tmp_path_factory.mktemp("past")
    (folder / "teachers.py").write_text(TEACHERS)
    (folder / "students.py").write_text(STUDENTS)
    models = [
        'name = "elder"\nseeds = [0, 1]',
        'name = "elder"\nlabel = "plain"\ntransforms = []',
        'name = "sayer"',
        'name = "logistic-regression"',
    ]
    few = DATASET.replace('name = "digits"', 'name = "digits"\nlabel = "few"\ntrain_limit = 300')
    for name, datasets, chosen in (("one", DATASET, models), ("two", DATASET + few, ['name = "elder"'])):
        path = spec(folder / f"{name}.toml", *chosen, length="steps = 30", datasets=datasets, plugins=["teachers.py"])
        run = mnistarena.run(path, out=folder / name)
        assert run.complete, [trial.error for trial in run.trials]
    return folder


@pytest.fixture
def here(past, tmp_path):
    """A folder of a test's own, with the plugins and both runs."""
    return shutil.copytree(past, tmp_path / "here")


def stored(run, label):
    (path,) = run.glob(f"trials/{label}-digits-*/model.safetensors")
    return load_file(path)


def plan(arena, path):
    """The plan, as JSON: teachers are looked for, nothing is trained."""
    done = arena("plan", path, "--no-estimate", "--json", cwd=path.parent)
    assert done.status == 0, done.err
    return json.loads(done.out)


def refusal(arena, path):
    done = arena("plan", path, "--no-estimate", cwd=path.parent)
    assert done.status == 2, done.out
    return " ".join(done.err.split())


def test_a_teacher_answers_as_its_own_run_does_and_is_no_part_of_the_student(arena, here):
    example = ROOT / "examples" / "plugins" / "distilled.py"
    models = [student("one/elder"), student("one/elder/s1", "other"), student("one/sayer", "saying")]
    models.append(student("one/elder", "distilled", name="distilled"))
    plugins = ("teachers.py", "students.py", str(example))
    path = spec(here / "s.toml", *models, plugins=plugins)
    done = arena("run", path, "--out", "s", cwd=here)
    assert done.status == 0, done.out + done.err
    images = (255 * digits()[0]).round().to(torch.uint8).numpy()
    past = mnistarena.load_run(here / "one")
    for label, name, seed in (("student", "elder", 0), ("other", "elder", 1), ("saying", "sayer", 0)):
        (trial,) = (trial for trial in past.trials if (trial.label, trial.seed) == (name, seed))
        wanted = trial.restore(plugins=[here / "teachers.py"]).probabilities(images)
        kept = stored(here / "s", label)
        np.testing.assert_allclose(kept["answers"].double().softmax(1), wanted, atol=1e-6, err_msg=label)
        assert kept.keys() == {"answers", *(f"net.{n}.{part}" for n in (1, 4) for part in ("weight", "bias"))}
    found = by_label(here / "s")
    assert found["student"]["measurements"]["parameters"] == 64 * 16 + 16 + 16 * 10 + 10
    for label in ("student", "distilled"):
        assert found[label]["metrics"]["accuracy"] > 0.5
    assert len({record["id"] for record in found.values()}) == 4
    notes = [note for entry in mnistarena.load_run(here / "s").plan["entries"] for note in entry["notes"]]
    assert notes[1].startswith('teacher = "one/elder/s1" is elder on digits, seed 1 (SHA-256 ')
    assert arena("verify", "s", *(part for file in plugins for part in ("--plugin", file)), cwd=here).status == 0

    (here / "one").rename(here / "moved")
    path.write_text(path.read_text().replace('"one/', '"moved/'))
    assert "4 finished before" in arena("run", path, "--out", "s", cwd=here).out


def test_a_student_of_several_datasets_has_the_teacher_of_each(arena, here):
    datasets = (here / "two.toml").read_text().partition("batch_size = 64")[2].partition("[[model]]")[0]
    path = spec(here / "s.toml", student("two/elder"), datasets=datasets)
    notes = [note for entry in plan(arena, path)["entries"] for note in entry["notes"]]
    assert [note.partition(" (")[0] for note in notes] == [
        'teacher = "two/elder" is elder on digits, seed 0',
        'teacher = "two/elder" is elder on few, seed 0',
    ]
    spec(path, student("two/elder"), datasets=DATASET.replace("200", "100"))
    assert "was trained on digits and few, none of which is the dataset of this model" in refusal(arena, path)


def test_the_identity_knows_the_digests_and_the_files_travel_by_them(past):
    registry = installed([plugin_file(past / "teachers.py")])
    context = PrepareContext(past, registry=registry)
    params = prepare_teacher(TeacherParams(teacher=str(past / "one" / "elder" / "s1")), context)
    (folder,) = past.glob("one/trials/elder-digits-s1-*")
    files = [folder / name for name in ("model.safetensors", "model.json")]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (*files, past / "teachers.py")]
    assert params.identity() == {"teacher_digests": digests}
    assert context.files == dict(zip(digests, files, strict=False))
    with pytest.raises(ArenaError, match="but teacher_digests says otherwise"):
        prepare_teacher(params.model_copy(update={"teacher": str(past / "one" / "elder")}), context)
    ten = tuple("0123456789")
    for shape, names, sentence in (
        ((1, 8, 8), ("cat", "dog"), "knows the classes 0, 1, 2 and 7 more, the dataset has cat, dog"),
        ((1, 9, 8), ten, "was trained on images of 1 × 8 × 8, the dataset has images of 1 × 9 × 8"),
    ):
        context.task = Task(shape, len(names), class_names=names, n_train=1)
        with pytest.raises(ArenaError, match=sentence):
            prepare_teacher(TeacherParams(teacher=str(past / "one" / "elder")), context)


def test_other_code_of_the_teacher_is_told_and_makes_another_student(arena, here):
    path = spec(here / "s.toml", student("one/elder"))
    before = plan(arena, path)
    (here / "teachers.py").write_text(TEACHERS + "# changed\n")
    after = plan(arena, path)
    assert before["trials"][0]["id"] != after["trials"][0]["id"]
    assert len(before["entries"][0]["notes"]) == 1
    assert "the code of teachers.py:teachers has changed since it was trained" in after["entries"][0]["notes"][1]


def test_what_cannot_teach_is_refused_before_anything_is_trained(arena, here):
    def said(teacher, **options):
        more = options.pop("more", "")
        return refusal(arena, spec(here / "s.toml", student(teacher, more=more), **options))

    assert (
        'model[1] "student": teacher = "nowhere/elder" could not be had: nowhere/elder is not in a run folder'
        in said("nowhere/elder")
    )
    assert 'one has no model "eldr"; did you mean "elder"?' in said("one/eldr")
    assert "it is a scikit-learn classifier, which has no weights" in said("one/logistic-regression")
    assert 'unknown model "elder"' in said("one/elder", plugins=["students.py"])
    other = said("one/elder", more='transforms = ["normalize", { name = "pad", size = 12 }]')
    assert "was trained with the transforms normalize (statistics = train), and this model's transforms make" in other
    assert "its mean and deviation" not in other
    fewer = said("one/elder", datasets=DATASET.replace("200", "100"))
    assert '"normalize" takes their mean and deviation' in fewer
    (here / "teachers.py").write_text(TEACHERS.replace('"probabilities"', '"labels"'))
    assert "the teacher sayer answers with labels alone" in said("one/sayer")
    assert arena("clean", "one", cwd=here).status == 0
    assert "its weights were not kept (keep_models), or arena clean removed them" in said("one/elder")


def test_random_transforms_of_the_student_are_its_own(arena, here):
    erasing = 'transforms = [{ name = "random-erasing" }, "normalize"]'
    assert plan(arena, spec(here / "s.toml", student("one/elder", more=erasing)))["trials"]


def test_a_trial_whose_plan_does_not_know_the_teacher_says_so(arena, here):
    path = spec(here / "s.toml", student("one/elder", name="unprepared"), student("", "alone"))
    arena("run", path, "--out", "s", cwd=here)
    said = {record["label"]: record["error"]["message"] for record in records(here / "s")}
    assert "say prepare=mnistarena.pretrained.prepare_teacher in the ModelDef" in said["student"]
    assert 'give the model teacher = "RUN/LABEL" in its params' in said["alone"]


def test_a_student_that_is_interrupted_goes_on_with_the_same_bits(past):
    plugins = [past / "teachers.py", past / "students.py"]

    def check(name, teacher):
        options = {"params": {"teacher": str(past / "one" / teacher)}, "steps": 20}
        (found,) = (one for one in checks("student", plugins=plugins, **options) if one.name == name)
        found.run()

    check("prepare", "plain")
    check("resumes", "plain")
    with pytest.raises(Nonconformity, match="was trained with the transforms normalize"):
        check("output", "elder")

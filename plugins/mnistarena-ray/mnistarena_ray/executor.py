"""The driver's side: each trial is a Ray task; what it sends arrives here, and only here the run folder is written."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mnistarena import ArenaError
from mnistarena.executors import (
    GRACE_SECONDS,
    POLL_SECONDS,
    STOPPED_SECONDS,
    TRIAL_BYTES,
    Conditions,
    ExecutorContext,
    Reports,
    Resources,
    Result,
    Submission,
    Workload,
    conditions,
    failure,
    few,
    pack_trial,
    refuse_jobs_beside_exclusive,
)
from mnistarena_ray import RayParams, node
from mnistarena_ray.cluster import Cluster, in_words
from mnistarena_ray.compatibility import Requirements, requirements_of
from mnistarena_ray.connection import join
from mnistarena_ray.messages import CheckpointSaved, News, TrialEnded, TrialOrder, UnfitNode
from mnistarena_ray.object_store import ObjectStore
from mnistarena_ray.submission import ClusterTrial, Ended, Outcome, Resubmit, Running

NAMES = 6
"""How many hosts, or processors, the conditions of a run name."""

NEWS_SECONDS = 0.5
"""How often a running trial sends news, at most."""

NEWS_PER_SECOND = 200.0
"""Messages of all trials together: where there are very many, each sends less often, so that results are not late."""

CHECKPOINTS_PER_SECOND = 3.0
"""Checkpoints of all trials together: they are large."""


class RayExecutor:
    """`mnistarena.executors.Executor` on a Ray cluster."""

    function: Callable[..., Any] = staticmethod(node.trial)
    """What a task runs; benchmarks put a function here that does nothing."""

    def __init__(self, params: RayParams, context: ExecutorContext) -> None:
        self.params, self.context = params, context
        self.token = uuid.uuid4().hex[:12]
        """The name of this executor's folders on the nodes."""
        self.connected = False
        """Whether the connection to Ray is ours, to be closed at the end."""
        self.cluster: Cluster | None = None
        self.requirements = Requirements()
        self.conditions = Conditions()
        self.threads = 1
        """Threads of a trial whose table asks for no number of processors, where --threads is not given."""
        self.jobs: int | None = None
        self.trials: dict[Any, ClusterTrial] = {}
        """Trials that are with Ray, by their streams."""
        self.stop_signal: Any = None
        """An actor, one for all rounds: a process of a node waits for the first one that it is given."""
        self.stop: list[Any] = []
        self.store = ObjectStore()
        self.stopped = 0.0
        """Seconds that this process was stopped (Ctrl-Z) when it listened last."""

    # ---- Before trials run

    def choose(self, work: Workload) -> Conditions:
        """Connect, ask every node what it is, and exclude those where figures would differ."""
        refuse_jobs_beside_exclusive(work, self.context)
        self.connected = join(self.params.address) or self.connected
        self.requirements = requirements_of(work)
        self.cluster = Cluster(self.requirements)
        nodes = self.cluster.examine()
        device = self._device(work, gpus=any(one.resources.get("GPU") for one in nodes))
        self.jobs = 1 if work.exclusive else self.context.jobs
        self.threads = int(work.before.get("threads") or 1)
        names = few(sorted({one.device_name for one in nodes}), NAMES)
        # No GPU is asked before a trial runs on it.
        bf16 = device == "cpu" and all(one.bf16 for one in nodes)
        threads = self.context.threads or self.threads
        self.conditions = conditions(device, names, threads=threads, jobs=1, bf16=bf16)
        self.conditions["host"] = few(sorted({one.host for one in nodes}), NAMES)
        self.conditions["jobs"] = self.jobs or self._places()
        return self.conditions

    def _device(self, work: Workload, *, gpus: bool) -> str:
        """The device that trials run on where their tables do not say otherwise."""
        device = self.context.device or work.before.get("device") or "auto"
        if device == "auto":
            return "cuda" if gpus else "cpu"
        if device != "cpu" and not gpus:
            raise ArenaError(f"the device {device!r} cannot be used: no node of the cluster has a GPU")
        return device

    # ---- Trials run

    def results(self, submissions: Iterator[Submission], reports: Reports) -> Iterator[tuple[Submission, Result]]:
        """Each submission with its result, in the order in which they end."""
        self._begin_round(reports)
        exhausted, patience = False, math.inf
        acted = 0  # how many requests to stop were acted on
        while True:
            while not exhausted and not reports.stopping() and len(self.trials) < self._window():
                submission = next(submissions, None)
                if submission is None:
                    exhausted = True
                    break
                refused = self._submit(ClusterTrial(submission, self._request(submission.resources)))
                if refused is not None:
                    yield submission, refused
            if not self.trials:
                break
            yield from self._listen(reports, stopping=acted > 0)
            if (asked := reports.stopping()) > acted:
                if acted == 0:
                    self._ask_to_stop()
                acted = asked
                patience = time.monotonic() + GRACE_SECONDS if acted == 1 else 0.0
            patience += self.stopped
            if time.monotonic() >= patience:
                # What arrived counts, however late it is read.
                while self.trials and ray.wait(list(self.trials), num_returns=1, timeout=0)[0]:
                    yield from self._listen(reports, stopping=True)
                yield from self._give_up()

    def _begin_round(self, reports: Reports) -> None:
        assert self.cluster is not None
        if self.stop_signal is None:
            here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
            self.stop_signal = ray.remote(num_cpus=0)(node.StopSignal).options(scheduling_strategy=here).remote()
            self.stop = [self.stop_signal.wait.remote()]
            for sentence in self.cluster.unfit.values():
                reports.notice(sentence)

    # ---- Submitting

    def _window(self) -> int:
        """How many trials are with Ray at once: one for every place, and as many again that wait for a free place."""
        return self.jobs if self.jobs is not None else 2 * self._places() + 2

    def _places(self) -> int:
        """How many trials the cluster has room for: trials like those that are with Ray, or as most are."""
        assert self.cluster is not None
        requests = {tuple(trial.request.items()) for trial in self.trials.values()}
        requests = requests or {tuple(self._request(Resources()).items())}
        return max(1, *(self.cluster.places(dict(one)) for one in requests))

    def _request(self, wanted: Resources) -> dict[str, float]:
        """What a trial asks Ray for."""
        gpus = wanted.gpus if wanted.gpus is not None else float(self.conditions["device"] != "cpu")
        cpus = wanted.cpus or self.context.threads or self.threads
        return {"CPU": float(cpus), "GPU": gpus, "memory": float(wanted.memory or TRIAL_BYTES)}

    def _submit(self, trial: ClusterTrial) -> Result | None:
        """Hand a trial to Ray; where it cannot run on any node, its result."""
        assert self.cluster is not None
        if not self.cluster.could_take(trial.request):
            message = (
                f"no node of the cluster has {in_words(trial.request)}; ask for less with resources = {{ … }} in its "
                "table, or add a node"
            )
            return failure("interrupted", "NoSuchNode", message)
        job = trial.submission.job
        try:
            contents = self.store.files(job)
        except OSError as problem:
            message = f"a file that it needs cannot be read any more: {problem}"
            return failure("failed", type(problem).__name__, message)
        task = ray.remote(self.function).options(
            name=trial.name,
            num_cpus=trial.request["CPU"],
            num_gpus=trial.request["GPU"],
            memory=trial.request["memory"],
            num_returns="streaming",
            # A lost trial goes on from its checkpoint, which Ray does not know of: we submit it once more.
            max_retries=0,
            **self.cluster.scheduling_options(),
        )
        parcel = pack_trial(job.folder)
        trial.stream = task.remote(self._order(trial), self.stop, parcel, self.store.arrays(job), *contents)
        self.trials[trial.stream] = trial
        return None

    def _order(self, trial: ClusterTrial) -> TrialOrder:
        cpus, gpus = trial.request["CPU"], trial.request["GPU"]
        changes = {"threads": self.context.threads or int(cpus), **({} if gpus else {"device": "cpu"})}
        job = replace(trial.submission.job, conditions=cast(Conditions, {**self.conditions, **changes}))
        return TrialOrder(
            replace(trial.submission, job=job),
            self.requirements,
            token=self.token,
            cpus=cpus,
            gpus=gpus,
            memory_limit=self.context.memory_limit,
            preload=self.context.preload,
            news_seconds=max(NEWS_SECONDS, self._places() / NEWS_PER_SECOND),
            checkpoint_seconds=max(job.checkpoint_every / 2, self._places() / CHECKPOINTS_PER_SECOND),
        )

    # ---- Listening

    def _listen(self, reports: Reports, *, stopping: bool) -> Iterator[tuple[Submission, Result]]:
        """Take whatever arrives within `POLL_SECONDS`, one message of each trial; yields trials that have ended."""
        began = time.monotonic()
        ready, rest = ray.wait(list(self.trials), num_returns=1, timeout=POLL_SECONDS)
        late = time.monotonic() - began - POLL_SECONDS
        self.stopped = late if late > STOPPED_SECONDS else 0.0
        if ready and rest:
            more, _ = ray.wait(rest, num_returns=len(rest), timeout=0)
            ready += more
        if not ready:
            self._check_nodes(reports)
        for stream in ready:
            trial = self.trials.pop(stream)
            outcome = self._hear(trial, reports, stopping=stopping)
            if isinstance(outcome, Running):
                self.trials[stream] = trial
                continue
            result = outcome.result if isinstance(outcome, Ended) else self._submit(trial)
            if result is not None:
                yield trial.submission, result

    def _hear(self, trial: ClusterTrial, reports: Reports, *, stopping: bool) -> Outcome:
        """Take one message of a trial."""
        message = trial.next_message()
        if isinstance(message, News):
            trial.take_news(message, reports)
            return Running()
        if isinstance(message, CheckpointSaved):
            trial.take_checkpoint(message)
            return Running()
        if isinstance(message, UnfitNode):  # a node that joined later
            assert self.cluster is not None
            reports.notice(self.cluster.exclude(message.node, message.differences))
            return Resubmit()
        if isinstance(message, TrialEnded):
            message = trial.take_result(message, stopping=stopping)
        if isinstance(message, Ended):
            return message
        return trial.after_loss(message, reports, retries=self.params.retries, stopping=stopping)

    def _check_nodes(self, reports: Reports) -> None:
        """Say so where nothing arrives because no node is left."""
        assert self.cluster is not None
        sentence = self.cluster.notice_if_empty([trial.request for trial in self.trials.values()])
        if sentence:
            reports.notice(sentence)

    # ---- Stopping

    def _ask_to_stop(self) -> None:
        """Ask running trials for a checkpoint; trials that have not begun are withdrawn, without a result."""
        self.stop_signal.set.remote()
        for stream, trial in list(self.trials.items()):
            if trial.host is None:
                ray.cancel(stream, force=False)
                del self.trials[stream]

    def _give_up(self) -> Iterator[tuple[Submission, Result]]:
        """End trials that did not stop in time."""
        for stream, trial in list(self.trials.items()):
            ray.cancel(stream, force=True)
            del self.trials[stream]
            yield trial.submission, {"status": "interrupted"}

    def close(self) -> None:
        """End what still runs, have the nodes remove what they kept, and leave the cluster."""
        if not ray.is_initialized():
            return
        for stream in self.trials:
            ray.cancel(stream, force=True)
        self.trials.clear()
        self.store.clear()
        self.stop_signal, self.stop = None, []
        if self.cluster is not None:
            self.cluster.clean_up(self.token)
            self.cluster = None
        if self.connected:
            ray.shutdown()
            self.connected = False

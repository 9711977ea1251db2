"""The driver's side: each trial is a Ray task; what it sends arrives here, and only here the run folder is written."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray import exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mnistarena import environment
from mnistarena.capacity import TRIAL_BYTES
from mnistarena.errors import ArenaError, StoreError
from mnistarena.interrupts import Interrupts
from mnistarena.job import ExecutorContext, Reports, Result, Task, Workload
from mnistarena.parcel import pack, unpack
from mnistarena.plugins import source_digest
from mnistarena.report.format import series
from mnistarena.spec.schema import Resources, size
from mnistarena.supervise import failure
from mnistarena.trialfolder import TrialFolder
from mnistarena.version import __version__
from mnistarena_ray import RayParams, node
from mnistarena_ray.cluster import Cluster, demand
from mnistarena_ray.connection import join
from mnistarena_ray.flight import LOST, Flight
from mnistarena_ray.likeness import Needs

POLL_SECONDS = 0.5
GRACE_SECONDS = 60.0
"""How long trials that were asked to stop may take to send their checkpoints."""

CHECKPOINTS = 3.0
"""A second, from all trials together: they are large."""

NEWS_SECONDS = 0.5
"""How often a running trial sends news, at most."""

MESSAGES = 200.0
"""A second, from all trials together: of very many, each sends news less often, so that the driver hears results."""


class RayExecutor:
    """`mnistarena.job.Executor` on a Ray cluster."""

    function: Callable[..., Any] = staticmethod(node.trial)
    """What a task is; benchmarks put one here that does nothing."""

    def __init__(self, params: RayParams, context: ExecutorContext) -> None:
        self.params, self.context = params, context
        self.token = uuid.uuid4().hex[:12]
        self.ours = False
        self.cluster: Cluster | None = None
        self.needs = Needs()
        self.conditions: dict[str, Any] = {}
        self.threads = 1
        """Of a trial whose table asks for no number of processors, where nobody asked for threads: as at first."""
        self.jobs: int | None = None
        self.flights: dict[Any, Flight] = {}
        self.bell: Any = None
        """One for all that this executor runs: a node listens to the first that it hears of."""
        self.data: dict[Path, Any] = {}
        self.weights: dict[str, Any] = {}

    def choose(self, work: Workload) -> dict[str, Any]:
        """Connect, look at every node, and leave out those that would compute something else."""
        asked = self.context
        if work.exclusive and (asked.jobs or 1) > 1:
            raise ArenaError(
                f'the spec says timing = "exclusive": one trial at a time; --jobs {asked.jobs} does not fit'
            )
        self.ours = join(self.params.address)
        ours = {"mnistarena-ray:ray": source_digest(str(Path(__file__).with_name("__init__.py")))}
        own = {"mnistarena-ray": environment.version("mnistarena-ray") or __version__}
        self.needs = Needs({**work.sources, **ours}, {**work.distributions, **own}, work.versions)
        self.cluster = Cluster(self.needs)
        nodes = self.cluster.look()
        gpus = any(one.resources.get("GPU") for one in nodes)
        device = asked.device or work.before.get("device") or "auto"
        if device == "auto":
            device = "cuda" if gpus else "cpu"
        if device != "cpu" and not gpus:
            raise ArenaError(f"the device {device!r} cannot be used: no node of the cluster has a GPU")
        self.jobs = 1 if work.exclusive else asked.jobs
        self.threads = int(work.before.get("threads") or 1)
        threads = asked.threads or self.threads
        names = series(sorted({one.device_name for one in nodes}))
        hosts = series(sorted({one.host for one in nodes}))
        self.conditions = environment.conditions(device, names, threads, 1) | {"host": hosts}
        self.conditions["jobs"] = self.jobs or self._places()
        return self.conditions

    def _places(self) -> int:
        """How many trials like those under way, or like most, the cluster has room for."""
        assert self.cluster is not None
        requests = {tuple(flight.request.items()) for flight in self.flights.values()}
        requests = requests or {tuple(self._request(Resources()).items())}
        return max(1, *(self.cluster.places(dict(one)) for one in requests))

    def results(self, tasks: Iterator[Task], reports: Reports) -> Iterator[tuple[Task, Result]]:
        """Each task with its result, in the order in which they end."""
        assert self.cluster is not None
        if self.bell is None:
            here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
            self.bell = ray.remote(num_cpus=0)(node.Bell).options(scheduling_strategy=here).remote()
            self.stop = [self.bell.heard.remote()]
            for sentence in self.cluster.refused():
                reports.notice(sentence)
        exhausted, patience = False, float("inf")
        with Interrupts() as interrupts:
            while True:
                while not exhausted and not interrupts.count and len(self.flights) < self._window():
                    task = next(tasks, None)
                    if task is None:
                        exhausted = True
                    else:
                        yield from self._submit(Flight(task, self._request(task.resources)))
                if not self.flights:
                    break
                before = interrupts.count
                yield from self._listen(reports, stopping=before > 0)
                if interrupts.count > before:
                    if before == 0:
                        reports.stopping()
                        self.bell.ring.remote()
                        patience = time.monotonic() + GRACE_SECONDS
                        self._call_off()
                    else:
                        patience = 0.0
                if time.monotonic() >= patience:
                    yield from self._give_up()
        if interrupts.count:
            raise KeyboardInterrupt

    def _window(self) -> int:
        """Trials that are with Ray at once: enough for every place, and as many again to follow without a gap."""
        if self.jobs is not None:
            return self.jobs
        return 2 * self._places() + 2

    def _request(self, wanted: Resources) -> dict[str, float]:
        """What a trial asks Ray for."""
        cpus = wanted.cpus or self.context.threads or self.threads
        gpus = wanted.gpus if wanted.gpus is not None else float(self.conditions["device"] != "cpu")
        memory = float(size(wanted.memory)) if wanted.memory else float(TRIAL_BYTES)
        return {"CPU": float(cpus), "GPU": gpus, "memory": memory}

    def _submit(self, flight: Flight) -> Iterator[tuple[Task, Result]]:
        """Hand a trial to Ray; where no node could ever take it, its result at once."""
        assert self.cluster is not None
        request, job = flight.request, flight.task.job
        if not self.cluster.could_take(request):
            message = (
                f"no node of the cluster has {demand(request)}; ask for less with resources = {{ … }} in its table, "
                "or add a node"
            )
            yield flight.task, failure("interrupted", "NoSuchNode", message)
            return
        threads = self.context.threads or int(request["CPU"])
        conditions = {**self.conditions, "threads": threads}
        if not request["GPU"]:
            conditions["device"] = "cpu"
        job = replace(job, conditions=conditions)
        limits = {
            "memory_limit": self.context.memory_limit,
            "gpus": request["GPU"],
            "cpus": request["CPU"],
            "news_seconds": max(NEWS_SECONDS, self._places() / MESSAGES),
            "checkpoint_seconds": max(job.checkpoint_every / 2, self._places() / CHECKPOINTS),
        }
        options: dict[str, Any] = {
            "num_cpus": request["CPU"],
            "num_gpus": request["GPU"],
            "memory": request["memory"],
            # A lost trial goes on from its checkpoint, which Ray does not know of: it is submitted anew.
            "max_retries": 0,
            "num_returns": "streaming",
            "name": flight.name,
            **self.cluster.avoiding(),
        }
        try:
            weights = [self._weights(digest, path) for digest, path in job.files.items()]
        except OSError as problem:
            gone = f"its weights have gone since the plan was made: {problem}"
            yield flight.task, failure("failed", type(problem).__name__, gone)
            return
        flight.stream = (
            ray.remote(self.function)
            .options(**options)
            .remote(
                replace(flight.task, key=None, job=job),
                self.needs,
                self.token,
                limits,
                self.stop,
                pack(job.folder),
                self._arrays(job.data),
                *weights,
            )
        )
        self.flights[flight.stream] = flight

    def _arrays(self, folder: Path) -> Any:
        """The arrays of a dataset, in Ray's store: it brings them to each node once."""
        if folder not in self.data:
            import numpy as np

            files = sorted(folder.glob("*.npy")) if folder.is_dir() else []
            self.data[folder] = ray.put({file.stem: np.load(file, mmap_mode="r") for file in files})
        return self.data[folder]

    def _weights(self, digest: str, path: Path) -> Any:
        if digest not in self.weights:
            import numpy as np

            self.weights[digest] = ray.put(np.fromfile(path, np.uint8))
        return self.weights[digest]

    def _listen(self, reports: Reports, *, stopping: bool) -> Iterator[tuple[Task, Result]]:
        """Hear whatever arrives within `POLL_SECONDS`."""
        streams = list(self.flights)
        ready, rest = ray.wait(streams, num_returns=1, timeout=POLL_SECONDS)
        if ready and rest:
            more, _ = ray.wait(rest, num_returns=len(rest), timeout=0)
            ready += more
        if not ready:
            self._look_around(reports)
        for stream in ready:
            flight = self.flights.pop(stream)
            result = self._hear(flight, reports, stopping=stopping)
            if result is None:
                self.flights[flight.stream] = flight
            elif result:
                yield flight.task, result
            else:
                yield from self._submit(flight)

    def _hear(self, flight: Flight, reports: Reports, *, stopping: bool) -> Result | None:
        """One message of a trial; its result, or None while it goes on, or nothing where it must be submitted anew."""
        try:
            message = ray.get(next(flight.stream))
        except StopIteration:
            message = {"lost": "its task ended without a result"}
        except exceptions.TaskCancelledError:
            return {"status": "interrupted"}
        except exceptions.OutOfMemoryError as problem:
            return flight.out_of_memory(problem)
        except LOST as problem:
            message = {"lost": type(problem).__name__}
        except exceptions.RayTaskError as problem:
            # A plugin's exception is a result; what reaches us so is its machine's: no disk, or no such package there.
            cause = problem.cause if isinstance(problem.cause, Exception) else problem
            message = {"lost": f"{type(cause).__name__}: {str(cause).strip().splitlines()[-1]}"}
        folder = TrialFolder(flight.task.job.folder)
        if "result" in message:
            try:
                unpack(folder.path, message["files"])
            except StoreError as problem:
                return failure("interrupted", "StoreError", str(problem))
            result: Result = {**message["result"], "conditions": message["conditions"]}
            if result["status"] != "interrupted" or "error" in result or stopping:
                return result
            # Nobody here asked it to stop: its machine is going down, and it saved what it had.
            message = {"lost": "it was stopped there"}
        if "unfit" in message:
            return self._unfit(flight, message["node"], message["unfit"], reports)
        if "lost" in message:
            return flight.lost(message["lost"], reports, retries=self.params.retries, stopping=stopping)
        if "checkpoint" in message:
            with suppress(StoreError):  # a full disk: the training is worth more
                unpack(folder.path, message["checkpoint"])
            return None
        folder.append_log(message["log"])
        for event in message["events"]:
            flight.host = event.pop("host", flight.host)
            told = {**event, "host": flight.host} if event["event"] == "started" else event
            reports.tell(flight.task.key, told)
        return None

    def _unfit(self, flight: Flight, place: str, differences: list[str], reports: Reports) -> Result:
        """A node that came later and is not like the others: nothing ran there, and nothing will."""
        assert self.cluster is not None
        reports.notice(self.cluster.refuse(place, differences))
        return {}

    def _look_around(self, reports: Reports) -> None:
        """Nothing is heard: perhaps there is nobody left to be heard."""
        assert self.cluster is not None
        sentence = self.cluster.desertion([flight.request for flight in self.flights.values()])
        if sentence:
            reports.notice(sentence)

    def _call_off(self) -> None:
        """Trials that have not begun need not begin, and nothing is to be said of them."""
        for stream, flight in list(self.flights.items()):
            if flight.host is None:
                ray.cancel(stream, force=False)
                del self.flights[stream]

    def _give_up(self) -> Iterator[tuple[Task, Result]]:
        """Trials that did not stop in time are ended."""
        for stream, flight in list(self.flights.items()):
            ray.cancel(stream, force=True)
            del self.flights[stream]
            yield flight.task, {"status": "interrupted"}

    def close(self) -> None:
        """End what still runs, leave the nodes as they were, and leave the cluster."""
        if not ray.is_initialized():
            return
        for stream in self.flights:
            ray.cancel(stream, force=True)
        self.flights.clear()
        self.data.clear()
        self.weights.clear()
        self.bell = None
        if self.cluster is not None:
            self.cluster.tidy(self.token)
            self.cluster = None
        if self.ours:
            ray.shutdown()
            self.ours = False

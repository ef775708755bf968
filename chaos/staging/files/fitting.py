"""What of a scenario a file's staging cannot play: refused by path before anything is touched.

The system of such a scenario is the user's own: only what a drill does to it is held against the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from chaos.kubernetes.fitting import unplayable
from chaos.realise import NotRealisable
from chaos.realise_data import STORE_FAULTS, backs_up, data_verbs_needed, several_bad_data, touches_store
from chaos.safety.errors import BaselineDrifted
from chaos.staging.adapter import StagingAdapter
from chaos.staging.data_verbs import BASELINE
from chaos.staging.files.commands import Commands, DataCommands
from chaos.staging.files.loading import Loaded
from chaos.staging.files.models import StagingFile
from chaos.unrealised import undrillable
from scenarios.models import Scenario, Strategy

__all__ = ["require_baseline", "require_fitting"]


def require_fitting(scenario: Scenario, strategy: Strategy, defects: Sequence[str], loaded: Loaded) -> None:
    """Raise NotRealisable, with all that does not fit, unless the file's staging can play the scenario.

    `strategy` is the one to be played, `defects` those to be switched on in the new version.
    """
    file = loaded.file
    problems = [*undrillable(scenario)]
    if len(scenario.release.changes) > 1:
        services = ", ".join(change.service for change in scenario.release.changes)
        problems.append(f"release.changes: {services}: must be one change")
    known = ", ".join(file.requests)
    problems += [
        f"functions.{name}: must be one of the file's requests ({known})"
        for name in scenario.functions
        if name not in file.requests
    ]
    problems += [line for topic in _TOPICS for line in topic(scenario, file)]
    if file.commands is not None:
        problems += [*_commands(scenario, strategy, defects, file.commands)]
    if file.kubernetes is not None:
        problems += [*unplayable(scenario, strategy, defects, file.kubernetes)]
    problems += [*_watched(scenario, file)]
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise NotRealisable(f"scenario {scenario.name} cannot be drilled on {loaded.path}:\n{listed}")


def require_baseline(scenario: Scenario, strategy: Strategy | None, staging: StagingAdapter) -> None:
    """Raise BaselineDrifted unless what is released runs as the scenario has it, all requests to the old version.

    Before that, NotRealisable with all that the staging itself lacks for the drill and for its undo. Without a strategy
    nothing is released.
    What guardrails watch must be seen as well: a query with a wrong label sees nothing, and nothing would trip.
    """
    lacking = staging.lacking(scenario, strategy)
    if lacking:
        listed = "\n".join(f"  {line}" for line in lacking)
        raise NotRealisable(f"scenario {scenario.name} cannot be drilled as the staging is:\n{listed}")
    change = scenario.release.change
    replicas = scenario.system.services[change.service].replicas
    ready, routes = dict(staging.surface.ready(change.service)), dict(staging.surface.routes(change.service))
    if ready != {change.old: replicas} or routes != {change.old: 1.0}:
        raise BaselineDrifted(
            f"the staging is not as the scenario has it: {change.service} has {ready} ready and routes {routes}, "
            f"must be {{{change.old!r}: {replicas}}} and {{{change.old!r}: 1.0}}"
        )
    if scenario.release.migration is not None and staging.data is not None:
        state = staging.data.migration_state()
        if state != BASELINE:
            raise BaselineDrifted(f"the staging's schema is at {state}, must be at {BASELINE}: the release migrates it")
    seen = {each.service for each in staging.observe()} if scenario.release.guardrails else set()
    unseen = sorted({each.of for each in scenario.release.guardrails} - seen)
    if unseen:
        raise BaselineDrifted(
            f"nothing is observed of {', '.join(unseen)} (but of {', '.join(sorted(seen)) or 'nothing'}): "
            "its guardrails would never trip"
        )


def _stores(scenario: Scenario, file: StagingFile) -> Iterator[str]:
    """Writes are looked up in a store that the scenario knows."""
    for name, request in file.requests.items():
        if request.store is not None and request.store not in scenario.system.stores:
            stores = ", ".join(scenario.system.stores) or "(none)"
            yield f"system.stores: {stores}: must have {request.store}, the store of the file's request {name}"


def _data(scenario: Scenario, file: StagingFile) -> Iterator[str]:
    """Each verb for data that the drill will need has a command."""
    commands = None if file.commands is None else file.commands.data
    if scenario.release.repair is not None and (commands is None or commands.wrong is None):
        yield "release.repair: the file has no command data.wrong: nobody would know of bad data"
    if commands is not None:
        yield from _data_by_commands(scenario, commands)
        return
    needing = [path for path, _ in data_verbs_needed(scenario)]
    needing += [
        f"faults[{index}].{each.kind}" for index, each in enumerate(scenario.faults) if each.kind in STORE_FAULTS
    ]
    yield from (f"{path}: the file has no commands for data" for path in dict.fromkeys(needing))


def _data_by_commands(scenario: Scenario, commands: DataCommands) -> Iterator[str]:
    yield from several_bad_data(scenario)
    if not touches_store(scenario) and not any(defect.bad_data for defect in scenario.release.defects):
        return
    stores = list(scenario.system.stores)
    if stores != [commands.store]:
        yield f"system.stores: {', '.join(stores)}: must be {commands.store}, which commands.data is about"
    there = commands.by_verb()
    for path, verb in data_verbs_needed(scenario):
        if verb not in there:
            yield f"{path}: the file has no command data.{verb}"
    if backs_up(scenario) and commands.backup is None:
        yield f"system.stores.{commands.store}.backup: the file has no command data.backup, to take it before the load"
    reconcile = scenario.release.reconcile
    if reconcile is not None and reconcile.leaves:
        yield "release.reconcile.leaves: what a drill reconciles is put right, or is not"


def _watched(scenario: Scenario, file: StagingFile) -> Iterator[str]:
    """Something tells how the versions answer, of each service that is watched."""
    by_command = file.commands is not None and file.commands.observe is not None
    if scenario.release.guardrails and not by_command and not (file.prometheus or file.envoy or file.load):
        yield "release.guardrails: the file has no prometheus, envoy, load or command observe: nothing would watch"
    known = None if file.envoy is None else set(file.envoy.clusters)
    known = known if file.load is None else {file.load.service}
    for index, guardrail in enumerate(scenario.release.guardrails):
        if known is not None and guardrail.of not in known:
            listed = ", ".join(sorted(known))
            yield f"release.guardrails[{index}].of: {guardrail.of}: must be one that the file watches ({listed})"
        if guardrail.quantile is not None and file.prometheus is not None and file.prometheus.latency is None:
            yield f"release.guardrails[{index}].metric: {guardrail.metric}: the file has no prometheus.latency"


def _procedure(scenario: Scenario, file: StagingFile) -> Iterator[str]:
    """The operator's own way back is a command."""
    steps = scenario.release.rollback
    if "procedure" in steps and (file.commands is None or file.commands.rollback is None):
        yield f"release.rollback[{steps.index('procedure')}]: procedure: the file has no command rollback"


def _commands(scenario: Scenario, strategy: Strategy, defects: Sequence[str], commands: Commands) -> Iterator[str]:
    """Each verb that the drill will need has a command."""
    if defects and commands.defects is None:
        yield f"release.defects: {', '.join(defects)}: the file has no command defects (--good: as it is)"
    if strategy.toggle is not None and commands.flag is None:
        yield "toggle: the file has no command flag"
    if strategy.waves is not None and (strategy.waves.by != "cohorts" or not commands.route.cohorts):
        yield f"waves: by {strategy.waves.by}: {_ALONE}"
    for index, step in enumerate(strategy.canary.steps if strategy.canary is not None else ()):
        if step.cohort is not None and not commands.route.cohorts:
            yield f"canary.steps[{index}].cohort: {step.cohort}: {_ALONE}"
        if step.mirror is not None and commands.mirror is None:
            yield f"canary.steps[{index}].mirror: the file has no command mirror"
    for index, fault in enumerate(scenario.faults):
        if fault.kind not in commands.faults:
            listed = ", ".join(commands.faults) or "none"
            yield f"faults[{index}].{fault.kind}: must be a fault that the file has commands for ({listed})"


_ALONE = "the file's command routes by weights alone"
_TOPICS: tuple[Callable[[Scenario, StagingFile], Iterator[str]], ...] = (_stores, _data, _procedure)

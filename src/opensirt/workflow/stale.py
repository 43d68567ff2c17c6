"""Which results of a case no longer belong to its newest study."""

from __future__ import annotations

from opensirt.encoding import parse_json
from opensirt.record.events import EventKind
from opensirt.store.case_folder import CaseFolder
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.workflow.study import input_hashes, load_index

_RESULTS = {EventKind.WORKUP_COMPUTED: "work-up", EventKind.PLAN_COMPUTED: "plan"}


def stale_results(case: CaseFolder) -> tuple[Finding, ...]:
    """A finding for each newest result whose inputs are not those of the newest study.

    Raises
    ------
    MissingInput
        If the case holds no study.
    """
    present = set(input_hashes(load_index(case)))
    findings = []
    for kind, name in _RESULTS.items():
        event = case.latest(kind)
        if event is None:
            continue
        document = parse_json(case.load_artefact(event.artefacts[0]))
        used = {(role, digest) for role, digest in document["input_sha256"]}
        changed = sorted({role for role, _ in used ^ present})
        if changed:
            message = (
                f"the {name} of {event.at.isoformat()} was computed from other data than the case's newest study ({', '.join(changed)}) "
                f"· it is out of date · compute it again: opensirt {'workup' if name == 'work-up' else name} CASE"
            )
            findings.append(Finding("case.stale", Severity.WARNING, message, name))
    return tuple(findings)

"""What a plan's report says, in reading order: the decision page first, then what it rests on. Paper and screen come from here."""

from __future__ import annotations

from opensirt.encoding import to_json
from opensirt.radioembolisation.treatment import proposal as schema
from opensirt.radioembolisation.treatment.proposal import PlanProposal
from opensirt.reports.document import AnyBlock, ReportDocument
from opensirt.reports.explanations import Explanations
from opensirt.reports.pictures import PlanPictures
from opensirt.reports.plan_appendix import appendix, methods_page
from opensirt.reports.plan_decision import decision_page, sorted_findings
from opensirt.reports.plan_sections import sections
from opensirt.vocabulary.provenance import content_sha256


def plan_document(proposal: PlanProposal, pictures: PlanPictures, plan_json: str = "") -> ReportDocument:
    """The whole report of a plan.

    Parameters
    ----------
    proposal : PlanProposal
        Everything that is said.
    pictures : PlanPictures
        The volumes from which the slices are drawn.
    plan_json : str
        The proposal as it is written, where the caller has it already: its hash stands on every page.
    """
    why = Explanations(proposal)
    findings = sorted_findings(proposal.findings)
    blocks: list[AnyBlock] = [decision_page(proposal, findings, why)]
    blocks += sections(proposal, pictures, findings, why)
    why.rest()
    blocks += methods_page(proposal, why)
    blocks += appendix(proposal, why)
    return ReportDocument(
        title=f"{'SYNTHETIC – ' if proposal.synthetic else ''}SIRT plan proposal {proposal.case_id}",
        case_id=proposal.case_id,
        program_version=proposal.program_version,
        plan_sha256=content_sha256([(plan_json or to_json(proposal, schema.SCHEMA, schema.VERSION)).encode()]),
        created_at=proposal.created_at,
        synthetic=proposal.synthetic,
        blocks=tuple(blocks),
        entries=why.entries,
        constants=why.constants,
    )

"""The report of a plan, on screen (HTML) and on paper (PDF), from one document."""

from __future__ import annotations

from opensirt.radioembolisation.treatment.proposal import PlanProposal
from opensirt.reports.html import render_html
from opensirt.reports.pictures import PlanPictures
from opensirt.reports.plan_content import plan_document


def render_plan_report(proposal: PlanProposal, pictures: PlanPictures) -> str:
    """The report as HTML text.

    Parameters
    ----------
    proposal : PlanProposal
        Everything that is said.
    pictures : PlanPictures
        The volumes from which the slices are drawn.

    Returns
    -------
    str
        One self-contained HTML 5 document.
    """
    return render_html(plan_document(proposal, pictures))

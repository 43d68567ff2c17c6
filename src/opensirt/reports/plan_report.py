"""The report of a plan, on screen (HTML) and on paper (PDF), from one document."""

from __future__ import annotations

from pathlib import Path

from opensirt.radioembolisation.treatment.proposal import PlanProposal
from opensirt.reports.html import render_html
from opensirt.reports.pdf import render_pdf
from opensirt.reports.pictures import PlanPictures
from opensirt.reports.plan_content import plan_document
from opensirt.store.case_folder import write_atomically


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


def write_plan_pdf(proposal: PlanProposal, pictures: PlanPictures, path: Path) -> None:
    """Write the report as PDF; the same plan and pictures give the same bytes.

    Parameters
    ----------
    proposal : PlanProposal
        Everything that is said.
    pictures : PlanPictures
        The volumes from which the slices are drawn.
    path : Path
        The file; replaced whole or not at all.
    """
    write_atomically(path, render_pdf(plan_document(proposal, pictures)))

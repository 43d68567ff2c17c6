"""A plan against what is known of the patient: contraindications as published, what is left of the liver, and what was seen late."""

from __future__ import annotations

from dataclasses import dataclass, replace

from opensirt.radioembolisation.dosimetry.influence import total_dose
from opensirt.radioembolisation.treatment.proposal import Cell, PlanTable
from opensirt.radioembolisation.workup.eligibility import Sense, eligibility
from opensirt.radioembolisation.workup.late_effects import Extent, LiverVolumes, TreatmentCourse, late_effects
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.measured import Measured, total
from opensirt.vocabulary.provenance import ReportedNumber
from opensirt.workflow.patient import PatientFacts
from opensirt.workflow.plan_computation import Planned

_WHOLE_FRACTION = 0.98
"""Territories that hold this share of the liver are the whole liver: contours of territories leave gaps of a voxel's width."""


@dataclass(frozen=True)
class PatientPart:
    """Numbers, tables and findings about eligibility and late effects."""

    numbers: tuple[ReportedNumber, ...]
    tables: tuple[PlanTable, ...]
    findings: tuple[Finding, ...]


def patient_part(planned: Planned, patient: PatientFacts, indication: str) -> PatientPart:
    """A plan against contraindications, and what it leaves of the liver.

    Parameters
    ----------
    planned : Planned
        The plan.
    patient : PatientFacts
        What is stated.
    indication : str
        ``"NET"`` …
    """
    headline = next(iter(planned.influences.values()))
    activities = {t: a.value for t, a in planned.plan.activities_gbq.items()}

    def planned_gy(key: str) -> Measured | None:
        return total_dose(headline, key, activities) if key in headline.gy_per_gbq else None

    judged = eligibility(replace(patient.known_eligibility, lung_gy=planned_gy("lungs")))
    rows = tuple(
        (
            Cell(row.criterion.name),
            Cell(row.criterion.weight.value),
            Cell(
                "present"
                if row.criterion.sense is Sense.PRESENT
                else f"{row.criterion.sense.value} {row.criterion.threshold:g} {row.criterion.unit}".strip()
            ),
            Cell(row.stated or "not known"),
            Cell(row.state.value),
        )
        for row in judged.rows
    )
    table = PlanTable(
        "eligibility",
        "Contraindications as published",
        ("criterion", "weight", "when", "stated", "state"),
        rows,
        "what is not known counts neither as met nor as not met; nothing is decided here",
        tuple(dict.fromkeys(row.criterion.source for row in judged.rows)),
    )
    late = _late(planned, patient, planned_gy("normal_liver"), indication)
    return PatientPart(late.numbers, (table, *late.tables), (*judged.findings, *late.findings))


def _late(planned: Planned, patient: PatientFacts, normal_gy: Measured | None, indication: str) -> PatientPart:
    uptake = planned.workup.uptake
    activities = {t: a.value for t, a in planned.plan.activities_gbq.items()}

    def volume(treated_only: bool, *kinds: StructureKind) -> Measured:
        found = [
            c.volume_ml
            for c in uptake.compartments
            if c.kind in kinds and (not treated_only or activities.get(c.territory, 0.0) > 0.0)
        ]
        return total(found)

    both = (StructureKind.TUMOUR, StructureKind.NORMAL_LIVER)
    volumes = LiverVolumes(
        volume(False, *both), volume(False, StructureKind.TUMOUR), volume(True, *both), volume(True, StructureKind.TUMOUR)
    )
    share = volumes.treated_ml.value / volumes.liver_ml.value
    extent = Extent.WHOLE if share >= _WHOLE_FRACTION else Extent.PART
    course = TreatmentCourse(extent, indication, normal_gy, planned.product.key, patient.earlier)
    found = late_effects(volumes, course, patient.bsa_m2)
    rows = [(Cell(number.label), Cell(number_key=number.key), Cell("this plan")) for number in found.numbers]
    rows += [
        (
            Cell(figure.name),
            Cell(f"{figure.percent:g} %" + (f" ({figure.affected} of {figure.patients})" if figure.affected is not None else "")),
            Cell(f"seen after more than 2 years, {figure.source}"),
        )
        for figure in found.figures
    ]
    table = PlanTable(
        "late_effects",
        "What is left of the liver, and what was seen late",
        ("quantity", "value", "where from"),
        tuple(rows),
        "figures of survivors of neuroendocrine tumours after glass microspheres; no limit on the sum over sessions was found",
        tuple(dict.fromkeys(figure.source for figure in found.figures)),
    )
    return PatientPart(found.numbers, (table,), found.findings)

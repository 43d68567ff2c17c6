"""What a person states about the patient: read from a file. Never a name or a number of the hospital."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

from opensirt.encoding import from_json
from opensirt.files.documents import read_document
from opensirt.outcomes.body_surface import du_bois_m2
from opensirt.outcomes.liver_function import UMOL_L_PER_MG_DL
from opensirt.radioembolisation.workup.eligibility import EligibilityFacts
from opensirt.vocabulary.earlier import EarlierTreatments
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.reserve import PatientReserve, require_bilirubin_units

SCHEMA = "opensirt.patient"
VERSION = 1
_SAME_BILIRUBIN_RELATIVE = 0.02


@dataclass(frozen=True)
class PatientFacts:
    """What is stated about the patient, for models, limits and eligibility; ``None`` where nothing is stated.

    Attributes
    ----------
    height_cm, weight_kg : float or None
        For models of body surface and standard liver volumes.
    reserve : PatientReserve
        Liver function and pretreatment, on which limits depend.
    eligibility : EligibilityFacts
        Facts behind contraindications. Lung dose comes from the plan and is not stated here.
    earlier : EarlierTreatments or None
        Earlier treatments; one without sessions says that there were none.

    Raises
    ------
    InvalidValue
        For a height or weight that cannot be, or facts in the wrong place.
    InconsistentInput
        For two values of bilirubin that differ.
    UnitError
        For a bilirubin that reads like one in the other unit.
    """

    height_cm: float | None = None
    weight_kg: float | None = None
    reserve: PatientReserve = field(default_factory=PatientReserve)
    eligibility: EligibilityFacts = field(default_factory=EligibilityFacts)
    earlier: EarlierTreatments | None = None

    def __post_init__(self) -> None:
        for name, value, unit in (("height", self.height_cm, "cm"), ("weight", self.weight_kg, "kg")):
            if value is not None and not 0.0 < value < math.inf:
                raise InvalidValue(f"a {name} of {value} {unit}", "", f"give a number above 0 in {unit}, or leave it out")
        if self.eligibility.lung_gy is not None or self.eligibility.earlier is not None:
            raise InvalidValue(
                "eligibility holds lung_gy or earlier", "lung dose comes from the plan", "state earlier treatments under 'earlier'"
            )
        one, other = self.reserve.bilirubin_mg_per_dl, self.eligibility.bilirubin_umol_per_l
        require_bilirubin_units(other, one)
        if one is not None and other is not None:
            converted = one * UMOL_L_PER_MG_DL
            if not math.isclose(converted, other, rel_tol=_SAME_BILIRUBIN_RELATIVE):
                raise InconsistentInput(
                    f"bilirubin of {one:g} mg/dL (= {converted:.1f} µmol/L) and of {other:g} µmol/L",
                    "they differ",
                    "state one of them",
                )

    @property
    def bsa_m2(self) -> Measured | None:
        """Body surface (Du Bois), m², where height and weight are stated."""
        if self.height_cm is None or self.weight_kg is None:
            return None
        return Measured(du_bois_m2(self.height_cm, self.weight_kg))

    @property
    def known_reserve(self) -> PatientReserve:
        """The reserve, with bilirubin from the laboratory facts where it stands only there."""
        umol = self.eligibility.bilirubin_umol_per_l
        if self.reserve.bilirubin_mg_per_dl is not None or umol is None:
            return self.reserve
        return replace(self.reserve, bilirubin_mg_per_dl=umol / UMOL_L_PER_MG_DL)

    @property
    def known_eligibility(self) -> EligibilityFacts:
        """Facts of eligibility, with bilirubin from the reserve where it stands only there, and the earlier treatments."""
        facts = replace(self.eligibility, earlier=self.earlier)
        mg = self.reserve.bilirubin_mg_per_dl
        if facts.bilirubin_umol_per_l is None and mg is not None:
            facts = replace(facts, bilirubin_umol_per_l=mg * UMOL_L_PER_MG_DL)
        return facts


def read_patient(path: Path) -> PatientFacts:
    """Facts from a JSON file (schema ``opensirt.patient``, version 1); what is left out is not known.

    Raises
    ------
    MissingInput
        If there is no such file.
    InvalidValue, InconsistentInput
        With every fault of the file at once.
    """
    return from_json(read_document(path), PatientFacts, SCHEMA, VERSION)

"""Earlier treatments and yes, no or unknown, as payloads of ``calc`` state them."""

from __future__ import annotations

from opensirt.vocabulary.earlier import EarlierSession, EarlierTreatments
from opensirt.vocabulary.errors import InconsistentInput
from opensirt.workflow.calc_choices import chosen, words
from opensirt.workflow.calc_fields import Field, Kind, Values, read_fields

YES_NO_UNKNOWN: dict[str, bool | None] = {"yes": True, "no": False, "unknown": None}
EARLIER_FIELDS = (
    Field("earlier_treatment", Kind.TEXT, f"earlier radioembolisation: {words(YES_NO_UNKNOWN)}", None, "unknown"),
    Field(
        "earlier_sessions",
        Kind.OBJECTS,
        "earlier radioembolisations by name: lung_gy, normal_liver_gy, treated_fraction, product, nuclide, days_ago; leave out what is not known",
        {
            "2025 right lobe": {
                "lung_gy": 9.0,
                "normal_liver_gy": 22.0,
                "treated_fraction": 0.6,
                "product": "glass",
                "nuclide": "Y-90",
                "days_ago": 410,
            }
        },
        None,
    ),
    Field("prrt_gbq", Kind.NOT_NEGATIVE, "earlier peptide receptor therapy, all cycles, GBq; 0 for none", None, None, (0.0, 60.0)),
    Field("prrt_nuclide", Kind.TEXT, "its nuclide", None, None),
    Field("prrt_days_ago", Kind.NOT_NEGATIVE, "days since its last cycle", None, None, (0.0, 7300.0)),
)
_SESSION_FIELDS = (
    Field("lung_gy", Kind.NOT_NEGATIVE, "mean lung dose, Gy", 9.0, None, (0.0, 50.0)),
    Field("normal_liver_gy", Kind.NOT_NEGATIVE, "mean dose of the whole normal liver, Gy", 22.0, None, (0.0, 200.0)),
    Field("treated_fraction", Kind.NOT_NEGATIVE, "treated share of the liver, 0 to 1", 0.6, None, (0.0, 1.0)),
    Field("product", Kind.TEXT, "product", "glass", None),
    Field("nuclide", Kind.TEXT, "nuclide", "Y-90", None),
    Field("days_ago", Kind.NOT_NEGATIVE, "days before this treatment", 410.0, None, (0.0, 7300.0)),
)


def _optional(values: Values, key: str) -> float | None:
    return values.number(key) if values.has(key) else None


def _text(values: Values, key: str) -> str:
    return values.text(key) if values.has(key) else ""


def earlier_treatments(values: Values) -> EarlierTreatments | None:
    """Earlier treatments as stated; ``None`` where nothing is.

    Raises
    ------
    InconsistentInput
        If there were none and sessions are stated.
    InvalidValue
        For a session that cannot be.
    """
    answer = chosen(values, "earlier_treatment", YES_NO_UNKNOWN)
    named = values.objects("earlier_sessions") if values.has("earlier_sessions") else {}
    if named and answer is False:
        raise InconsistentInput(f"no earlier treatment, and the sessions {', '.join(named)}", "", "state one or the other")
    if answer and not named:
        raise InconsistentInput(
            "earlier treatment without sessions", "their doses count", "state earlier_sessions, with a name for each at least"
        )
    if answer is None and not named:
        return None
    sessions = []
    for name, given in named.items():
        read, _ = read_fields(_SESSION_FIELDS, given, f"earlier session {name}")
        sessions.append(
            EarlierSession(
                name,
                _optional(read, "lung_gy"),
                _optional(read, "normal_liver_gy"),
                _optional(read, "treated_fraction"),
                _text(read, "product"),
                _text(read, "nuclide"),
                _optional(read, "days_ago"),
            )
        )
    return EarlierTreatments(
        tuple(sessions), _optional(values, "prrt_gbq"), _text(values, "prrt_nuclide"), _optional(values, "prrt_days_ago")
    )

"""Microsphere products: cited facts, with what nobody has verified marked as such.

How vials come differs by product in kind, so each kind is a type of its own: :class:`WholeVials` (fixed sizes on a weekly clock, given
whole), :class:`DrawnVials` (one size, of which a part is drawn), :class:`MadeToOrder` (an activity asked for at an instant). UDI, lot and
assay belong to one vial, not to a product: they are inputs of the treatment day.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from opensirt.vocabulary.errors import InconsistentInput, UnsupportedInput
from opensirt.vocabulary.nuclides import HO166, Y90, Nuclide
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.provenance import Constant, Mark

PRODUCTS_VERSION = "2"


@dataclass(frozen=True)
class Device:
    """The catalogue entry of a product.

    Attributes
    ----------
    manufacturer, brand, material : str
        As the source names them; companies change hands, so the label of the vial decides.
    source : str
        Where this was read.
    """

    manufacturer: str
    brand: str
    material: str
    source: str


@dataclass(frozen=True)
class WholeVials:
    """Vials of fixed sizes, calibrated on a weekly clock and given whole.

    Attributes
    ----------
    sizes_gbq : tuple of float
        Activity at calibration, GBq.
    calibration_weekday : int
        0 = Monday … 6 = Sunday.
    calibration_hour, calibration_minute : int
        Local time of calibration.
    time_zone : str
        IANA zone of the calibration clock.
    shelf_life_days : Constant
        Days after calibration during which it may be used.
    source, mark
        Where the clock comes from and how far to trust it.
    """

    sizes_gbq: tuple[float, ...]
    calibration_weekday: int
    calibration_hour: int
    time_zone: str
    shelf_life_days: Constant
    source: str
    mark: Mark
    calibration_minute: int = 0


@dataclass(frozen=True)
class DrawnVials:
    """Vials of one size from which each injection draws a part; the rest stays in the vial.

    Attributes
    ----------
    size_gbq : Constant
        Activity at calibration, GBq, with the spread of the label.
    days_before_calibration : tuple of int
        A vial may be delivered and used this many days before its calibration (0: on the day itself).
    shelf_life_days : Constant
        Days after calibration during which it may be used.
    source, mark
        Where the days come from and how far to trust them. No source for the hour of calibration was found: the site states it.
    """

    size_gbq: Constant
    days_before_calibration: tuple[int, ...]
    shelf_life_days: Constant
    source: str
    mark: Mark


@dataclass(frozen=True)
class MadeToOrder:
    """Doses made for one patient and one instant.

    Attributes
    ----------
    activity_range_gbq : tuple of float
        Published activity of one dose, GBq.
    mass_range_mg : tuple of float
        Published mass of the spheres of one treatment, mg.
    spheres_per_mg : Constant
        Number of spheres per mg.
    activity_source : str
        Where the range of activities was read.
    source, mark
        Where the process comes from and how far to trust it. No source for a shelf life was found.
    """

    activity_range_gbq: tuple[float, float]
    mass_range_mg: tuple[float, float]
    spheres_per_mg: Constant
    activity_source: str
    source: str
    mark: Mark


VialSupply = WholeVials | DrawnVials | MadeToOrder
"""How vials of a product come."""


@dataclass(frozen=True)
class Product:
    """A microsphere product.

    Attributes
    ----------
    key, name : str
        Stable name, and what people call it.
    device : Device
        Manufacturer, brand, material.
    nuclide : Nuclide
        What it carries.
    bq_per_sphere : Constant
        Activity of one sphere in Bq: at calibration for glass and resin, at treatment for Ho-166.
    bq_per_sphere_range : tuple of float
        Published range, Bq.
    diameter_um : tuple of float
        Range of diameters, µm.
    residual_fraction : Constant
        Share of the dispensed activity that stays behind.
    vials : VialSupply
        How vials come.
    """

    key: str
    name: str
    device: Device
    nuclide: Nuclide
    bq_per_sphere: Constant
    bq_per_sphere_range: tuple[float, float]
    diameter_um: tuple[float, float]
    residual_fraction: Constant
    vials: VialSupply

    @property
    def supply(self) -> WholeVials | None:
        """The supply of a product whose vials are given whole; ``None`` for the others, which :attr:`vials` describes."""
        return self.vials if isinstance(self.vials, WholeVials) else None


HOANG = (
    "Hoang et al., J Vasc Interv Radiol (345 glass, 317 resin administrations); which median belongs to which product: not certain"
)
CATALOGUE = "Cardiovasc Intervent Radiol 2019;42:1240, Table 4 (PMC8583383)"

GLASS = Product(
    key="glass",
    name="glass microspheres (TheraSphere)",
    device=Device(
        "Boston Scientific (earlier BTG, MDS Nordion)",
        "TheraSphere",
        "glass with yttrium in it",
        "TheraSphere package insert (USA, v12)",
    ),
    nuclide=Y90,
    bq_per_sphere=Constant(
        "glass.bq_per_sphere", 2500.0, "Bq", "EANM 2022, WJH 2015: 2500 Bq at calibration; 1250 to 2500 in PMC8583383", 360.0
    ),
    bq_per_sphere_range=(1250.0, 2500.0),
    diameter_um=(20.0, 30.0),
    residual_fraction=Constant("glass.residual", 0.0061, "1", HOANG, 0.01, Mark.UNVERIFIED),
    vials=WholeVials(
        sizes_gbq=(3.0, 5.0, 7.0, 10.0, 15.0, 20.0),
        calibration_weekday=6,
        calibration_hour=12,
        time_zone="America/New_York",
        shelf_life_days=Constant(
            "glass.shelf_life_days", 12.0, "d", "not read in a source: check the current instructions for use", 0.0, Mark.UNVERIFIED
        ),
        source="sizes: TheraSphere package insert (USA, v12); calibration Sunday 12:00 Eastern Time: not read in a source",
        mark=Mark.UNVERIFIED,
    ),
)
RESIN = Product(
    key="resin",
    name="resin microspheres (SIR-Spheres)",
    device=Device(
        "Sirtex Medical",
        "SIR-Spheres",
        "resin with yttrium on its surface",
        "manufacturer's page About SIR-Spheres; hep.14.6, Table 3 (PMC6095426)",
    ),
    nuclide=Y90,
    bq_per_sphere=Constant(
        "resin.bq_per_sphere", 50.0, "Bq", "RCP table; WJH 2015; the manufacturer's 44 million per 3 GBq are 68 Bq", 8.0
    ),
    bq_per_sphere_range=(40.0, 80.0),
    diameter_um=(20.0, 60.0),
    residual_fraction=Constant("resin.residual", 0.0301, "1", HOANG, 0.03, Mark.UNVERIFIED),
    vials=DrawnVials(
        size_gbq=Constant(
            "resin.vial_gbq",
            3.0,
            "GBq",
            "label 3.0 GBq ± 10 % at calibration (Selwyn et al. 2008; an assay of theirs read 26 % more)",
            0.17,
        ),
        days_before_calibration=(0, 1, 2, 3),
        shelf_life_days=Constant(
            "resin.shelf_life_days", 1.0, "d", "not read in a source: check the current instructions for use", 0.0, Mark.UNVERIFIED
        ),
        source="use up to 3 days before calibration (FLEXdose), 24 h after it: not read in a source; hour of calibration: none found",
        mark=Mark.UNVERIFIED,
    ),
)
HOLMIUM = Product(
    key="ho166",
    name="holmium-166 poly-lactic acid microspheres (QuiremSpheres)",
    device=Device("Quirem Medical (Terumo)", "QuiremSpheres", "poly-L-lactic acid with holmium", f"NICE TA985, 2.1; {CATALOGUE}"),
    nuclide=HO166,
    bq_per_sphere=Constant(
        "ho166.bq_per_sphere", 300.0, "Bq", "van Roekel thesis; NICE TA985: 200 to 400 Bq at treatment; 450 in the RCP table", 60.0
    ),
    bq_per_sphere_range=(200.0, 450.0),
    diameter_um=(20.0, 50.0),
    residual_fraction=Constant(
        "ho166.residual", 0.043, "1", "Drescher et al. 2021 (PMC8129462): 12 treatments, median 4.3 %, 3.5 to 6.9 %", 0.01
    ),
    vials=MadeToOrder(
        activity_range_gbq=(6.0, 12.0),
        mass_range_mg=(540.0, 600.0),
        spheres_per_mg=Constant("ho166.spheres_per_mg", 55_000.0, "1/mg", f"33 million in 600 mg: {CATALOGUE}", 0.0, Mark.DERIVED),
        activity_source=CATALOGUE,
        source="patient-specific dose (NICE TA985, 2.1), 540 to 600 mg (van Roekel thesis p. 29); ordering times: not read in a source",
        mark=Mark.UNVERIFIED,
    ),
)
PRODUCTS = MappingProxyType({product.key: product for product in (GLASS, RESIN, HOLMIUM)})


def product_named(key: str) -> Product:
    """The product of that key.

    Raises
    ------
    UnsupportedInput
        If there is none.
    """
    if key not in PRODUCTS:
        raise UnsupportedInput(f"no product is called {key!r}", "", offer(key, PRODUCTS))
    return PRODUCTS[key]


def require_same_product(product: Product, key: str, what: str) -> None:
    """Refuse limits, vials or doses that belong to another product.

    Parameters
    ----------
    product : Product
        The one in use.
    key : str
        Product to which ``what`` belongs.
    what : str
        ``"limits"``, ``"the plan"`` …, for the message.

    Raises
    ------
    InconsistentInput
        If they differ.
    """
    if key != product.key:
        raise InconsistentInput(
            f"{what} of {product_named(key).name} with {product.name}",
            "limits, spheres and vials of products are not exchangeable",
            f"state {product.key!r} for both, or plan anew",
        )

"""Microsphere products: cited facts, with what nobody has verified marked as such."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from opensirt.vocabulary.errors import UnsupportedInput
from opensirt.vocabulary.nuclides import HO166, Y90, Nuclide
from opensirt.vocabulary.provenance import Constant, Mark

PRODUCTS_VERSION = "1"


@dataclass(frozen=True)
class VialSupply:
    """How vials of a product come: sizes at calibration, when calibrated, how long usable.

    Attributes
    ----------
    sizes_gbq : tuple of float
        Activity at calibration, GBq.
    calibration_weekday : int
        0 = Monday … 6 = Sunday.
    calibration_hour : int
        Local hour of calibration.
    time_zone : str
        IANA zone of the calibration clock.
    shelf_life_days : Constant
        Days after calibration during which it may be used.
    source, mark
        Where this comes from and how far to trust it.
    """

    sizes_gbq: tuple[float, ...]
    calibration_weekday: int
    calibration_hour: int
    time_zone: str
    shelf_life_days: Constant
    source: str
    mark: Mark


@dataclass(frozen=True)
class Product:
    """A microsphere product."""

    key: str
    name: str
    nuclide: Nuclide
    bq_per_sphere: Constant
    bq_per_sphere_range: tuple[float, float]
    diameter_um: tuple[float, float]
    residual_fraction: Constant
    supply: VialSupply | None
    """``None`` where vials are not modelled yet for this product."""


GLASS = Product(
    key="glass",
    name="glass microspheres (TheraSphere)",
    nuclide=Y90,
    bq_per_sphere=Constant(
        "glass.bq_per_sphere", 2500.0, "Bq", "EANM 2022, WJH 2015: 2500 Bq at calibration; 1250 to 2500 in PMC8583383", 360.0
    ),
    bq_per_sphere_range=(1250.0, 2500.0),
    diameter_um=(20.0, 30.0),
    residual_fraction=Constant(
        "glass.residual",
        0.0061,
        "1",
        "Hoang et al., J Vasc Interv Radiol (345 glass, 317 resin administrations); which median belongs to which product: not certain",
        0.01,
        Mark.UNVERIFIED,
    ),
    supply=VialSupply(
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
    nuclide=Y90,
    bq_per_sphere=Constant("resin.bq_per_sphere", 50.0, "Bq", "RCP table; WJH 2015", 8.0),
    bq_per_sphere_range=(40.0, 80.0),
    diameter_um=(20.0, 60.0),
    residual_fraction=Constant(
        "resin.residual",
        0.0301,
        "1",
        "Hoang et al., J Vasc Interv Radiol (345 glass, 317 resin administrations); which median belongs to which product: not certain",
        0.03,
        Mark.UNVERIFIED,
    ),
    supply=None,
)
HOLMIUM = Product(
    key="ho166",
    name="holmium-166 poly-lactic acid microspheres (QuiremSpheres)",
    nuclide=HO166,
    bq_per_sphere=Constant("ho166.bq_per_sphere", 300.0, "Bq", "van Roekel thesis: 200 to 400 Bq; 450 in the RCP table", 60.0),
    bq_per_sphere_range=(200.0, 450.0),
    diameter_um=(20.0, 50.0),
    residual_fraction=Constant("ho166.residual", 0.0, "1", "no published median found; state the site's own", 0.02, Mark.ASSUMED),
    supply=None,
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
        raise UnsupportedInput(f"no product is called {key!r}", "", f"choose one of {', '.join(PRODUCTS)}")
    return PRODUCTS[key]

"""From an imported study to one grid: every structure found or made, everything resampled once, every loss in the ledger."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np

from opensirt.imaging.ledger import CountLedger
from opensirt.imaging.resample import hounsfield_on, mask_on, occupancy, resample_counts
from opensirt.imaging.segment import body_by_threshold, cropped_to_content, cut_by_field, lungs_by_threshold
from opensirt.imaging.tissue import CONVERSIONS, density_on
from opensirt.imaging.working_grid import field_findings, working_grid
from opensirt.radioembolisation.workup.compartments import ScoutImage, lung_density
from opensirt.radioembolisation.workup.lung_mass import DECLARED_MASSES, LungMass, lung_mass
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import MissingInput, UnsupportedInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.geometry import Grid, require_same_frame
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.threads import each
from opensirt.vocabulary.units import G_PER_KG
from opensirt.vocabulary.volumes import ActivityMap, CountsMap, HounsfieldMap, Mask, Occupancy
from opensirt.workflow.options import WorkupOptions
from opensirt.workflow.study import LoadedStudy

TRACHEA_MM2 = 600.0
"""A lung mask that touches the field's face by less than this is a trachea leaving it, not a cut lung."""
_SOFT_KINDS = (StructureKind.LIVER, StructureKind.TUMOUR, StructureKind.VESSELS)


@attrs.frozen(eq=False)
class Scene:
    """Everything on one grid, and what it took to get there."""

    study: LoadedStudy
    grid: Grid
    image: ScoutImage
    lungs_mass: LungMass
    masks: tuple[tuple[Mask, str], ...]
    """Structures in use with the origin of their contour (RTSTRUCT, SEG, label map, threshold)."""
    ledger: CountLedger
    findings: tuple[Finding, ...]


@attrs.frozen(eq=False)
class _Parts:
    body: tuple[Mask, str]
    liver: tuple[Mask, str]
    lungs: tuple[tuple[Mask, str], ...]
    tumours: tuple[tuple[Mask, str], ...]
    territories: tuple[tuple[Mask, str], ...]
    organs: tuple[tuple[Mask, str], ...]
    vessels: tuple[tuple[Mask, str], ...]
    findings: tuple[Finding, ...]


def _of_kind(study: LoadedStudy, *kinds: StructureKind) -> tuple[tuple[Mask, str], ...]:
    return tuple((mask, stored.origin) for mask, stored in study.structures if mask.structure.kind in kinds)


def _without_empty(study: LoadedStudy) -> tuple[LoadedStudy, tuple[Finding, ...]]:
    kept, findings = [], []
    for mask, stored in study.structures:
        if mask.inside.any():
            kept.append((cropped_to_content(mask), stored))
        else:
            message = f"{stored.label!r} ({mask.structure.key}) holds no voxel of the image · it is left out · check its contours"
            findings.append(Finding("structure.empty", Severity.WARNING, message, mask.structure.key))
    return attrs.evolve(study, structures=tuple(kept)), tuple(findings)


def _lungs(study: LoadedStudy, coarse_body: Mask) -> tuple[tuple[tuple[Mask, str], ...], tuple[Finding, ...]]:
    whole = _of_kind(study, StructureKind.LUNGS)
    if whole:
        return whole[:1], ()
    sides = _of_kind(study, StructureKind.LEFT_LUNG, StructureKind.RIGHT_LUNG)
    if len(sides) == 2:
        return sides, ()
    try:
        found = lungs_by_threshold(study.ct)
    except MissingInput as error:
        return (), (Finding("lungs.not_found", Severity.WARNING, str(error), "lungs"),)
    message = (
        f"no lung contours; lungs of {found.volume_ml:.0f} mL were found by threshold on CT (below −400 HU) · look at their contour"
    )
    return ((found, "threshold"),), (Finding("lungs.by_threshold", Severity.NOTE, message, "lungs"),)


def _parts(study: LoadedStudy, coarse_body: Mask, findings: tuple[Finding, ...]) -> _Parts:
    livers = _of_kind(study, StructureKind.LIVER)
    if not livers:
        names = ", ".join(stored.label for _, stored in study.structures) or "none"
        raise MissingInput(
            "no liver contour",
            f"structures in the study: {names}",
            "add a liver to the RTSTRUCT or SEG, or give a label map (--labels)",
        )
    bodies = _of_kind(study, StructureKind.BODY)
    body = bodies[0] if bodies else (coarse_body, "threshold")
    lungs, lung_findings = _lungs(study, coarse_body)
    territories = _of_kind(study, StructureKind.TERRITORY)
    more = []
    if not territories:
        mask = livers[0][0]
        territories = ((Mask(mask.inside, mask.grid, Structure(StructureKind.TERRITORY, "whole liver")), "liver contour"),)
        more.append(
            Finding(
                "territories.none",
                Severity.WARNING,
                "no territory was drawn; the whole liver is taken as one injection · draw what each injection perfuses",
            )
        )
    tumours = _of_kind(study, StructureKind.TUMOUR)
    if not tumours:
        more.append(
            Finding("tumours.none", Severity.WARNING, "no tumour was drawn · tumour doses cannot be computed · draw the lesions")
        )
    return _Parts(
        body,
        livers[0],
        lungs,
        tumours,
        territories,
        _of_kind(study, StructureKind.EXTRAHEPATIC),
        _of_kind(study, StructureKind.VESSELS),
        (*findings, *lung_findings, *more),
    )


def _coarse_ct(ct: HounsfieldMap, emission: Grid) -> HounsfieldMap:
    """The CT at the emission image's axes and 4 mm over its whole extent: enough to find the body."""
    everything = Mask(np.ones((2, 2, 2), dtype=bool), _hull(ct.grid), Structure(StructureKind.BODY))
    return hounsfield_on(ct, working_grid(emission, [everything], 4.0))


def _hull(grid: Grid) -> Grid:
    """Two voxels per axis that span a grid's whole extent."""
    affine = grid.affine_mm.copy()
    half = np.array(grid.shape) / 2.0
    affine[:3, :3] = affine[:3, :3] * half
    affine[:3, 3] = grid.lps_mm(half / 2.0 - 0.5)
    return Grid((2, 2, 2), affine, grid.frame)


def _counts(emission: CountsMap | ActivityMap) -> tuple[CountsMap, tuple[Finding, ...]]:
    if isinstance(emission, CountsMap):
        return emission, ()
    message = "the emission image is in Bq/mL; its voxels are taken as counts in proportion · count noise is not Poisson and is underestimated or overestimated"
    finding = Finding("emission.activity_as_counts", Severity.NOTE, message)
    return CountsMap(emission.bq_per_ml * np.float32(emission.grid.voxel_volume_ml), emission.grid), (finding,)


def build_scene(study: LoadedStudy, options: WorkupOptions, report: Callable[[float], None]) -> Scene:
    """Resample everything onto the working grid.

    Parameters
    ----------
    study : LoadedStudy
        CT, emission image and structures in one frame of reference.
    options : WorkupOptions
        Spacing, density conversion, declared lung mass.
    report : callable
        Takes progress from 0 to 1.

    Raises
    ------
    MissingInput
        Without a liver.
    GridMismatch
        If CT and emission image do not share a frame of reference.
    """
    if options.density not in CONVERSIONS:
        raise UnsupportedInput(f"no density conversion is called {options.density!r}", "", offer(options.density, CONVERSIONS))
    if options.declared_lung_mass not in DECLARED_MASSES:
        raise UnsupportedInput(
            f"no declared lung mass is called {options.declared_lung_mass!r}",
            "",
            offer(options.declared_lung_mass, DECLARED_MASSES),
        )
    require_same_frame(study.ct.grid, study.emission.grid, "CT and emission image")
    filled, empty = _without_empty(study)
    coarse = _coarse_ct(study.ct, study.emission.grid)
    body = body_by_threshold(coarse)
    report(0.15)
    parts = _parts(filled, body, (*study.index.findings, *empty))
    counts, emission_findings = _counts(study.emission)
    grid = working_grid(
        counts.grid, [body, *(mask for mask, _ in (parts.liver, *parts.lungs))], options.spacing_mm, within=study.ct.grid
    )
    resampled = resample_counts(counts, grid)
    ledger = CountLedger().entry(
        "emission image to working grid",
        resampled.before,
        resampled.kept,
        resampled.outside,
        note="outside: beyond the working grid",
    )
    report(0.35)
    soft = [mask for mask, _ in (parts.liver, *parts.tumours, *parts.vessels) if mask.structure.kind in _SOFT_KINDS]
    density = density_on(study.ct, grid, soft, CONVERSIONS[options.density])
    report(0.7)
    image, together = _scout(resampled.map, density.map, parts, grid)
    mass = _lung_mass(study.ct, parts, options, lung_density(image))
    report(1.0)
    seen = [mask for mask, _ in (parts.liver, *parts.lungs, *parts.tumours, *parts.organs)]
    unseen = field_findings(seen, counts.grid, "emission image")
    findings = (*parts.findings, *emission_findings, *density.findings, *mass.findings, *unseen, *_cut_liver(study.ct, parts))
    masks = (parts.body, parts.liver, *together, *parts.tumours, *parts.territories, *parts.organs)
    return Scene(study, grid, image, mass, masks, ledger, findings)


def _scout(counts: CountsMap, density: object, parts: _Parts, grid: Grid) -> tuple[ScoutImage, tuple[tuple[Mask, str], ...]]:
    from opensirt.vocabulary.volumes import DensityMap

    assert isinstance(density, DensityMap)
    everything = [mask for mask, _ in (parts.body, parts.liver, *parts.lungs, *parts.tumours, *parts.territories, *parts.organs)]
    placed = each(lambda mask: occupancy(mask, grid), everything)
    at = iter(placed)
    body, liver = next(at), next(at)
    lungs = [next(at) for _ in parts.lungs]
    tumours = tuple(next(at) for _ in parts.tumours)
    territories = tuple(next(at) for _ in parts.territories)
    organs = tuple(next(at) for _ in parts.organs)
    both: tuple[Occupancy, ...] = ()
    if lungs:
        total = np.minimum(np.sum([lung.fraction for lung in lungs], axis=0, dtype=np.float32), np.float32(1.0))
        both = (Occupancy(total, grid, Structure(StructureKind.LUNGS)),)
    shown = tuple((Mask(lung.inside, lung.grid, Structure(StructureKind.LUNGS)), origin) for lung, origin in parts.lungs)
    return ScoutImage(counts, density, liver, both, tumours, territories, organs, body), shown


def _lung_mass(ct: HounsfieldMap, parts: _Parts, options: WorkupOptions, density_g_per_ml: float) -> LungMass:
    declared = DECLARED_MASSES[options.declared_lung_mass]
    if not parts.lungs:
        return lung_mass(None, 0.0, (), declared)
    inside = np.zeros(ct.grid.shape, dtype=bool)
    for lung, _ in parts.lungs:
        _paint(inside, lung, ct.grid, True)
    _paint(inside, parts.liver[0], ct.grid, False)
    lungs = Mask(inside, ct.grid, Structure(StructureKind.LUNGS))
    if not lungs.voxels:
        return lung_mass(None, 0.0, (), declared)
    return lung_mass(
        lungs.volume_ml * density_g_per_ml / G_PER_KG,
        lungs.volume_ml,
        cut_by_field(lungs, ct, least_mm2=TRACHEA_MM2),
        declared,
    )


def _paint(inside: np.ndarray, mask: Mask, grid: Grid, value: bool) -> None:
    """Set the voxels of a mask in an array on ``grid``; a mask on a sub-grid of it is placed without resampling."""
    offset = grid.index_kji(mask.grid.lps_mm((0, 0, 0)))
    start = np.rint(offset).astype(int)
    stop = start + np.array(mask.grid.shape)
    if (start >= 0).all() and (stop <= np.array(grid.shape)).all():
        window = grid.cropped((int(start[0]), int(start[1]), int(start[2])), (int(stop[0]), int(stop[1]), int(stop[2])))
        if window.is_same_as(mask.grid):
            inside[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))][mask.inside] = value
            return
    inside[mask_on(mask, grid).inside] = value


def _cut_liver(ct: HounsfieldMap, parts: _Parts) -> tuple[Finding, ...]:
    inside = np.zeros(ct.grid.shape, dtype=bool)
    _paint(inside, parts.liver[0], ct.grid, True)
    faces = cut_by_field(Mask(inside, ct.grid, parts.liver[0].structure), ct)
    if not faces:
        return ()
    message = (
        f"the liver is cut by the field of view ({', '.join(faces)}); {parts.liver[0].volume_ml:.0f} mL are a lower limit · volumes, masses and doses of the liver "
        "are wrong by what is missing · use a CT that covers the whole liver"
    )
    return (Finding("liver.cut", Severity.CRITICAL, message, "liver"),)

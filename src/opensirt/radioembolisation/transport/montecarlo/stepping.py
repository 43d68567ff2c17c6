"""One electron after another: the compiled stepping loop.

Between two deflections an electron flies straight through a given *scattering strength* (random hinge: the place of a turn is uniform in
the strength it stands for; Fernández-Varea, Salvat; Sempau, Wilderman and Bielajew 2000). Energy goes to a point drawn uniformly in the
energy lost on the flight. A flight stops where the medium changes; a change of density alone only stretches it. Knock-on electrons above
a cut are followed one by one. All tallies are whole numbers, so that no order of adding, and no number of threads, changes them.

One file holds it all, because the cache of compiled code watches only the file of the compiled function.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

UNITS_PER_MEV = 2.0**26
"""Energy is counted in units of 1.5e-8 MeV."""
_REST = 0.51099895
_LOG_LOW = math.log(0.010)
_LOG_SPAN = math.log(3.0 / 0.010)
_STACK = 64
_FAR = 1e30


@njit(inline="always")
def _next(state: Any) -> Any:
    """Next number of a history's own sequence (SplitMix64: a counter through a mixing function; Steele, Lea and Flood 2014)."""
    state += np.uint64(0x9E3779B97F4A7C15)
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state, z ^ (z >> np.uint64(31))


@njit(inline="always")
def _unit(z: Any) -> Any:
    """A number from 0 to below 1 from the upper 53 bits."""
    return float(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(inline="always")
def _look(table: Any, medium: Any, column: Any, place: Any) -> Any:
    node = int(place)
    share = place - node
    low = table[medium, node, column]
    return low + share * (table[medium, node + 1, column] - low)


@njit(inline="always")
def _turn(ux: Any, uy: Any, uz: Any, deficit: Any, phi: Any) -> Any:
    """Turn a direction by an angle with ``1 − cos θ = deficit`` about a random azimuth."""
    cosine = 1.0 - deficit
    sine = math.sqrt(max(0.0, deficit * (2.0 - deficit)))
    cp, sp = math.cos(phi), math.sin(phi)
    across = ux * ux + uy * uy
    if across > 1e-12:
        root = math.sqrt(across)
        a = sine / root
        vx = ux * cosine + a * (ux * uz * cp - uy * sp)
        vy = uy * cosine + a * (uy * uz * cp + ux * sp)
        vz = uz * cosine - sine * root * cp
    else:
        vx, vy = sine * cp, sine * sp
        vz = cosine if uz > 0.0 else -cosine
    norm = 1.0 / math.sqrt(vx * vx + vy * vy + vz * vz)
    return vx * norm, vy * norm, vz * norm


@njit(inline="always")
def _units(energy: Any) -> Any:
    return np.int64(math.floor(energy * 67108864.0 + 0.5))


@njit(inline="always")
def _shell(shells: Any, spacing: Any, pz: Any, py: Any, px: Any) -> Any:
    rz, ry, rx = (pz - 0.5) * spacing[0], (py - 0.5) * spacing[1], (px - 0.5) * spacing[2]
    return min(np.searchsorted(shells, math.sqrt(rz * rz + ry * ry + rx * rx), side="right") - 1, len(shells) - 2)


_NO_LEVELS = np.empty((0, 0, 0), np.uint8)
_NO_LEVELS.setflags(write=False)
_NOWHERE = np.empty((0, 0, 0), np.float32)
_NOWHERE.setflags(write=False)
_NO_LEAN = np.empty((0, 0, 0, 4), np.float32)
_NO_LEAN.setflags(write=False)
_LEAST_USE, _SPAN_OF_USE = 0.55, 0.25
"""Part of its range that an electron gets ahead, across its direction, and how much more or less along or against it: a guess that only
decides who plays roulette."""


def run(span: Any, key: Any, source: Any, geometry: Any, tables: Any, settings: Any, tallies: Any) -> None:
    """Follow histories to their end: :func:`run_guided` without guide."""
    run_guided(span, key, source, geometry, tables, settings, tallies, (_NO_LEVELS, _NOWHERE, _NO_LEAN))


@njit(nogil=True, cache=True)
def run_guided(  # noqa: PLR0912, PLR0913, PLR0915  one loop nest: cut into functions it runs at half the speed
    span: Any, key: Any, source: Any, geometry: Any, tables: Any, settings: Any, tallies: Any, guide: Any
) -> None:
    """Follow the histories ``span[0] … span[1] − 1``.

    Parameters
    ----------
    span : tuple of int
        First history, and the one after the last.
    key : uint64
        Seed of the run.
    source : tuple
        ``(voxels, first, extent, spectrum)``: source voxels (n, 3) as k, j, i, or (n, 4) with the whole
        number for which each history of the voxel counts; the first history of each (n + 1); the part of a voxel's
        width over which starts are spread, 1 for a uniform voxel, 0 for its centre; energy (MeV) on even steps of the fraction of
        electrons emitted with less.
    geometry : tuple
        ``(medium, density, clear, spacing)``: medium number (uint8) and density (g/mL) of every voxel; how many voxels around are the same
        (uint8); spacing along k, j, i in cm.
    tables : tuple
        As :class:`Tables` has them.
    settings : tuple
        ``(knock_on_mev, photon_mev, cut_mev)``.
    tallies : tuple
        ``(tally, book, shells)``, the first two int64 and added to: energy deposited in every voxel (flat) or in every shell; energy emitted,
        gone off the grid, radiated, and knock-ons for which there was no room (must stay 0); edges (cm) of shells around the centre of a
        grid of one voxel, empty for a tally by voxel.
    guide : tuple
        ``(level, away, lean)``, all empty or of the grid's shape. An electron that enters a voxel of a higher level (uint8) than it has been in is
        split in two for every level, each part counting half: what a history counts must be divisible so often. An electron whose range
        is shorter than ``away`` (g/cm², float32), the least path to where energy is wanted, is given up, its energy added to a fifth
        entry of ``book``. One that is not likely to get there is given up three times out of four, else counts fourfold (its energy is taken
        from the fifth entry): judged by ``lean`` (shape of the grid and 4, float32), the path in g/cm² from a voxel's centre to where energy
        is wanted, and the direction in which it grows.
    """
    voxels, first, extent, spectrum = source
    tally, book, shells = tallies
    level, away, lean = guide
    guided = level.shape[0] > 0
    media, density, clear, spacing = geometry
    by_energy, by_strength, strength_step, by_range, range_step, turns, most = tables
    knock_on, photon, cut = settings
    nk, nj, ni = media.shape
    radial = len(shells) > 0
    weighted = voxels.shape[1] > 3
    dz, dy, dx = spacing
    least = min(dz, min(dy, dx))
    energies = by_energy.shape[1] - 1
    energy_scale = energies / _LOG_SPAN
    angles = turns.shape[1] - 1
    to_angle = angles / energies
    quantiles = turns.shape[2] - 1
    per_quantile = 1.0 / quantiles
    nodes = len(spectrum) - 1
    cut_place = (math.log(cut) - _LOG_LOW) * energy_scale
    cut_units = _units(cut)
    bz, by, bx = 1.0 / dz, 1.0 / dy, 1.0 / dx
    stack = np.empty((_STACK, 12))
    where = np.searchsorted(first, span[0], side="right") - 1
    _, start = _next(key)
    for history in range(span[0], span[1]):
        while history >= first[where + 1]:
            where += 1
        counts = np.int64(voxels[where, 3]) if weighted else np.int64(1)
        highest = np.int64(0)
        played = 0.0
        state = np.uint64(history) * np.uint64(0xD1342543DE82EF95) + key
        state, z0 = _next(state)
        state = z0 ^ key
        state, z0 = _next(state)
        state, z1 = _next(state)
        state, z2 = _next(state)
        # position in voxels' widths, (k, j, i) with the centre of voxel 0 at 0.5
        pz = voxels[where, 0] + 0.5 + extent * (_unit(z0) - 0.5)
        py = voxels[where, 1] + 0.5 + extent * (_unit(z1) - 0.5)
        px = voxels[where, 2] + 0.5 + extent * (_unit(z2) - 0.5)
        state, z1 = _next(state)
        state, z2 = _next(state)
        # energies of successive histories share out the spectrum evenly (multiples of the golden ratio, from a random start)
        place = _unit(np.uint64(history) * np.uint64(0x9E3779B97F4A7C15) + start) * nodes
        node = int(place)
        energy = spectrum[node] + (place - node) * (spectrum[node + 1] - spectrum[node])
        uz = 2.0 * _unit(z1) - 1.0
        rho = math.sqrt(max(0.0, 1.0 - uz * uz))
        phi = 2.0 * math.pi * _unit(z2)
        book[0] += _units(energy) * counts
        depth = 1
        stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3] = energy, pz, py, px
        stack[0, 4], stack[0, 5], stack[0, 6] = uz, rho * math.sin(phi), rho * math.cos(phi)
        stack[0, 7], stack[0, 8], stack[0, 9], stack[0, 10] = counts, highest, -1.0, 0.0
        stack[0, 11] = played
        while depth > 0:
            depth -= 1
            energy, pz, py, px = stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3]
            uz, uy, ux = stack[depth, 4], stack[depth, 5], stack[depth, 6]
            counts, highest, played = np.int64(stack[depth, 7]), np.int64(stack[depth, 8]), stack[depth, 11]
            k, j, i = int(pz), int(py), int(px)
            if k < 0 or j < 0 or i < 0 or k >= nk or j >= nj or i >= ni:
                book[1] += _units(energy) * counts
                continue
            m = media[k, j, i]
            state, z0 = _next(state)
            state, z1 = _next(state)
            to_knock = -math.log(1.0 - _unit(z1)) / most[m]
            held = _units(energy)
            place = (math.log(energy) - _LOG_LOW) * energy_scale if held > cut_units else 0.0
            before = _unit(z0)
            left = before
            if stack[depth, 9] >= 0.0:  # split off in the middle of a turn
                left, before = stack[depth, 9], stack[depth, 10]
            while True:
                if held <= cut_units:
                    if not radial:
                        tally[(k * nj + j) * ni + i] += held * counts
                    else:
                        tally[_shell(shells, spacing, pz, py, px)] += held * counts
                    break
                strength = _look(by_energy, m, 1, place)
                reach = _look(by_energy, m, 0, place)
                if guided:
                    if reach < away[k, j, i]:
                        book[4] += held * counts
                        break
                    if played == 0.0 and lean[k, j, i, 0] > 0.0:
                        gk, gj, gi = lean[k, j, i, 1], lean[k, j, i, 2], lean[k, j, i, 3]
                        beside = gk * (pz - k - 0.5) * dz + gj * (py - j - 0.5) * dy + gi * (px - i - 0.5) * dx
                        use = reach * (_LEAST_USE - _SPAN_OF_USE * (uz * gk + uy * gj + ux * gi))
                        if use < lean[k, j, i, 0] + beside * density[k, j, i]:
                            played = 1.0
                            state, z0 = _next(state)
                            if _unit(z0) >= 0.25:
                                book[4] += held * counts
                                break
                            book[4] -= 3 * held * counts
                            counts *= 4
                    rise = np.int64(level[k, j, i]) - highest
                    if rise > 0 and depth + (1 << rise) <= _STACK:
                        highest += rise
                        counts >>= rise
                        for _ in range((1 << rise) - 1):
                            stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = energy, pz, py, px
                            stack[depth, 4], stack[depth, 5], stack[depth, 6] = uz, uy, ux
                            stack[depth, 7], stack[depth, 8], stack[depth, 9], stack[depth, 10] = counts, highest, left, before
                            stack[depth, 11] = played
                            depth += 1
                at_end = strength - left
                if at_end > 0.0:
                    spot = at_end / strength_step[m]
                    after = _look(by_strength, m, 0, spot)
                    path = reach - _look(by_strength, m, 1, spot)
                else:
                    after = 0.0
                    path = reach
                if after < cut:
                    after = cut
                    path = reach - _look(by_energy, m, 0, cut_place)
                    happens = 2
                else:
                    happens = 0
                if to_knock < path:
                    happens = 1
                    path = to_knock
                # fly `path` g/cm², at most to where the medium changes
                flown = 0.0
                r = density[k, j, i]
                distance = path / r
                rate_z, rate_y, rate_x = uz * bz, uy * by, ux * bx
                state, z0 = _next(state)
                state, z1 = _next(state)
                moved = False
                if distance < clear[k, j, i] * least:
                    pz += rate_z * distance
                    py += rate_y * distance
                    px += rate_x * distance
                    flown = path
                    moved = True
                oz, oy, ox = pz, py, px
                out = False
                crossing = False
                ck, cj, ci = k, j, i
                sz = sy = sx = 0.0
                if not moved:
                    gz = ((ck + 1 - pz) if rate_z > 0.0 else (pz - ck)) / max(abs(rate_z), 1e-30)
                    gy = ((cj + 1 - py) if rate_y > 0.0 else (py - cj)) / max(abs(rate_y), 1e-30)
                    gx = ((ci + 1 - px) if rate_x > 0.0 else (px - ci)) / max(abs(rate_x), 1e-30)
                    sz = 1.0 / max(abs(rate_z), 1e-30)
                    sy = 1.0 / max(abs(rate_y), 1e-30)
                    sx = 1.0 / max(abs(rate_x), 1e-30)
                    gone = 0.0
                    while True:
                        nearest = min(gz, min(gy, gx))
                        ahead = (nearest - gone) * r
                        if flown + ahead >= path:
                            gone += (path - flown) / r
                            flown = path
                            break
                        flown += ahead
                        gone = nearest
                        if gz <= gy and gz <= gx:
                            ck += 1 if rate_z > 0.0 else -1
                            gz += sz
                        elif gy <= gx:
                            cj += 1 if rate_y > 0.0 else -1
                            gy += sy
                        else:
                            ci += 1 if rate_x > 0.0 else -1
                            gx += sx
                        if ck < 0 or cj < 0 or ci < 0 or ck >= nk or cj >= nj or ci >= ni:
                            out = True
                            break
                        if media[ck, cj, ci] != m:
                            crossing = True
                            break
                        r = density[ck, cj, ci]
                    pz += rate_z * gone
                    py += rate_y * gone
                    px += rate_x * gone
                # energy at the end of what was flown
                if flown < path or happens == 1:
                    spot = math.sqrt(max(reach - flown, 0.0)) / range_step[m]
                    node = int(spot)
                    after = by_range[m, node] + (spot - node) * (by_range[m, node + 1] - by_range[m, node])
                    after = min(after, energy)
                lost = energy - after
                # straggling of what the collisions below the cut take: two outcomes that keep its mean, variance and third moment
                variance = _look(by_energy, m, 4, place) * flown
                jump = _look(by_energy, m, 7, place)
                apart = math.sqrt(4.0 * variance + jump * jump)
                lost += 0.5 * (jump + apart) if _unit(z0) * 2.0 * apart < apart - jump else 0.5 * (jump - apart)
                lost = max(lost, 0.0)
                lost = min(lost, energy)
                end = energy - lost
                # the radiated part leaves; the rest goes to a point of the flight
                end_place = (math.log(max(end, 0.010000001)) - _LOG_LOW) * energy_scale  # table starts at 10 keV
                radiated = _look(by_energy, m, 2, place) - _look(by_energy, m, 2, end_place)
                kept = _units(end)
                shone = min(_units(radiated), held - kept)
                book[2] += shone * counts
                here = held - kept - shone
                if here > 0:
                    wanted = energy - _unit(z1) * (energy - after)
                    part = reach - _look(by_energy, m, 0, (math.log(wanted) - _LOG_LOW) * energy_scale)
                    share = part / flown if flown > 0.0 else 0.0
                    if moved:
                        back = distance * (1.0 - share)
                        qz, qy, qx = pz - rate_z * back, py - rate_y * back, px - rate_x * back
                        if not radial:
                            tally[(int(qz) * nj + int(qy)) * ni + int(qx)] += here * counts
                        else:
                            tally[_shell(shells, spacing, qz, qy, qx)] += here * counts
                    else:
                        # walk again from the start of the flight to the point
                        bk, bj, bi = k, j, i
                        r = density[bk, bj, bi]
                        gz = ((bk + 1 - oz) if rate_z > 0.0 else (oz - bk)) / max(abs(rate_z), 1e-30)
                        gy = ((bj + 1 - oy) if rate_y > 0.0 else (oy - bj)) / max(abs(rate_y), 1e-30)
                        gx = ((bi + 1 - ox) if rate_x > 0.0 else (ox - bi)) / max(abs(rate_x), 1e-30)
                        goal = share * flown
                        passed = 0.0
                        gone = 0.0
                        while bk != ck or bj != cj or bi != ci:
                            nearest = min(gz, min(gy, gx))
                            ahead = (nearest - gone) * r
                            if passed + ahead >= goal:
                                break
                            tk, tj, ti = bk, bj, bi
                            if gz <= gy and gz <= gx:
                                tk += 1 if rate_z > 0.0 else -1
                                gz += sz
                            elif gy <= gx:
                                tj += 1 if rate_y > 0.0 else -1
                                gy += sy
                            else:
                                ti += 1 if rate_x > 0.0 else -1
                                gx += sx
                            if tk < 0 or tj < 0 or ti < 0 or tk >= nk or tj >= nj or ti >= ni or media[tk, tj, ti] != m:
                                break
                            passed += ahead
                            gone = nearest
                            bk, bj, bi = tk, tj, ti
                            r = density[bk, bj, bi]
                        if not radial:
                            tally[(bk * nj + bj) * ni + bi] += here * counts
                if out:
                    book[1] += kept * counts
                    break
                if happens == 0 and not crossing:
                    left = 0.0
                else:
                    left -= strength - _look(by_energy, m, 1, (math.log(max(after, 0.010000001)) - _LOG_LOW) * energy_scale)
                    left = max(left, 0.0)
                to_knock -= flown
                energy, held, place = end, kept, end_place
                if moved:
                    k, j, i = int(pz), int(py), int(px)
                else:
                    k, j, i = ck, cj, ci
                if crossing:
                    scale = to_knock * most[m]
                    m = media[k, j, i]
                    to_knock = scale / most[m]
                    continue
                if happens == 2:
                    if not radial:
                        tally[(k * nj + j) * ni + i] += kept * counts
                    else:
                        tally[_shell(shells, spacing, pz, py, px)] += kept * counts
                    break
                if happens == 1:
                    state, z0 = _next(state)
                    state, z1 = _next(state)
                    to_knock = -math.log(1.0 - _unit(z0)) / most[m]
                    number = _look(by_energy, m, 3, place) if energy > 2.0 * knock_on else 0.0
                    drawn = _unit(z1) * most[m]
                    if drawn >= number:
                        if drawn < number + _look(by_energy, m, 6, place) and energy > photon:
                            # a photon: share x of the energy, distributed as (1 − 0.9 x)/x, leaves
                            x = 1.0
                            while True:
                                state, z0 = _next(state)
                                state, z1 = _next(state)
                                x = (photon / energy) ** _unit(z0)
                                if _unit(z1) < 1.0 - 0.9 * x:
                                    break
                            left_units = _units(energy * (1.0 - x))
                            book[2] += (kept - left_units) * counts
                            held = left_units
                            energy = float(held) / 67108864.0
                            place = (math.log(max(energy, 0.010000001)) - _LOG_LOW) * energy_scale
                        continue
                    # share of the energy taken: Møller, by rejection from 1/x²
                    low = knock_on / energy
                    tau = energy / _REST
                    square = (tau / (tau + 1.0)) ** 2
                    mixed = (2.0 * tau + 1.0) / ((tau + 1.0) * (tau + 1.0))
                    while True:
                        state, z0 = _next(state)
                        state, z1 = _next(state)
                        x = low / (1.0 - (1.0 - 2.0 * low) * _unit(z0))
                        weight = 1.0 + (x / (1.0 - x)) ** 2 + square * x * x - mixed * x / (1.0 - x)
                        if _unit(z1) * (1.0 + 1.0 + 0.25 * square) <= weight:
                            break
                    taken = x * energy
                    state, z0 = _next(state)
                    phi = 2.0 * math.pi * _unit(z0)
                    rest = energy - taken
                    cos_one = math.sqrt(rest * (energy + 2.0 * _REST) / (energy * (rest + 2.0 * _REST)))
                    cos_two = math.sqrt(taken * (energy + 2.0 * _REST) / (energy * (taken + 2.0 * _REST)))
                    if depth < _STACK:
                        vx, vy, vz = _turn(ux, uy, uz, 1.0 - cos_two, phi + math.pi)
                        stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = taken, pz, py, px
                        stack[depth, 4], stack[depth, 5], stack[depth, 6] = vz, vy, vx
                        stack[depth, 7], stack[depth, 8], stack[depth, 9], stack[depth, 10] = counts, highest, -1.0, 0.0
                        stack[depth, 11] = played
                        depth += 1
                    else:
                        book[3] += 1
                    ux, uy, uz = _turn(ux, uy, uz, 1.0 - cos_one, phi)
                    # whole numbers: what the knock-on takes and what stays make what there was
                    held = kept - _units(taken)
                    energy = float(held) / 67108864.0
                    place = (math.log(max(energy, 0.010000001)) - _LOG_LOW) * energy_scale
                    continue
                # a full turn
                state, z0 = _next(state)
                state, z1 = _next(state)
                if held <= cut_units:
                    if not radial:
                        tally[(k * nj + j) * ni + i] += held * counts
                    else:
                        tally[_shell(shells, spacing, pz, py, px)] += held * counts
                    break
                spot = place * to_angle
                node = int(spot)
                if _unit(z1 << np.uint64(32)) < spot - node:
                    node += 1
                u = _unit(z0)
                x = (1.0 - math.sqrt(1.0 - u)) * quantiles
                q = int(x)
                # straight lines in the fraction itself between its nodes 1 − (1 − q)²
                a = 1.0 - q * per_quantile
                lower = turns[m, node, q]
                deficit = lower + (u - 1.0 + a * a) / (per_quantile * (2.0 * a - per_quantile)) * (turns[m, node, q + 1] - lower)
                ux, uy, uz = _turn(ux, uy, uz, deficit, 2.0 * math.pi * _unit(z1))
                rest_of_turn = 1.0 - before
                state, z0 = _next(state)
                before = _unit(z0)
                left = rest_of_turn + before

"""Conversion factors between units: the only place where they stand.

Sources: SI brochure (9th edition, 2019) for exact factors; the electronvolt and the curie are exact by definition.
"""

JOULE_PER_MEV = 1.602176634e-13
EV_PER_MEV = 1e6
BQ_PER_GBQ = 1e9
BQ_PER_MBQ = 1e6
MBQ_PER_GBQ = 1e3
BQ_PER_CURIE = 3.7e10
GBQ_PER_MILLICURIE = 0.037
SECONDS_PER_HOUR = 3600.0
SECONDS_PER_MINUTE = 60.0
HOURS_PER_DAY = 24.0
MM3_PER_ML = 1000.0
ML_PER_LITRE = 1000.0
G_PER_KG = 1000.0
MM_PER_CM = 10.0
MM_PER_M = 1000.0
PERCENT = 100.0

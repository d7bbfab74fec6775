"""The forest plots of the trial atlas show the trial table, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from car_relapse.evidence import relapse_split, same_patients, trials

RESPONSES = ("response-leukaemia", "response-other")
WHAT = {"phenotype-forest": ("kept", "lost")}
SLUGS = (*RESPONSES, "phenotype-forest", "phenotype-persistence")


def keys(drawing, what: str = "percent") -> list[str]:
    end = f"_{what}"
    return [name.removesuffix(end) for name in drawing.numbers if name.endswith(end)]


def rows(drawing, what: str = "percent"):
    """Give count, total, share, low and high of each cohort."""
    prefix = "" if what == "percent" else f"{what}_"
    columns = ("count", "total", "share", "low_95", "high_95")
    table = np.array([drawing.data[f"{prefix}{name}"] for name in columns]).T
    return dict(zip(keys(drawing, what), table, strict=True))


@pytest.mark.parametrize("slug", SLUGS)
def test_intervals_are_those_of_clopper_and_pearson(drawings, slug):
    for what in WHAT.get(slug, ("percent",)):
        for key, (x, n, share, low, high) in rows(drawings[slug], what).items():
            assert share == pytest.approx(x / n)
            assert low == pytest.approx(beta.ppf(0.025, x, n - x + 1) if x else 0.0), key
            assert high == pytest.approx(beta.ppf(0.975, x + 1, n - x) if x < n else 1.0), key


@pytest.mark.parametrize("slug", RESPONSES)
def test_responses_are_those_of_the_table(drawings, slug):
    for key, (x, n, *_) in rows(drawings[slug]).items():
        assert (x, n) == (trials()[key].n_cr, trials()[key].n_evaluable), key


def test_every_multi_target_response_is_drawn_once_and_no_patients_twice(drawings):
    drawn = [key for slug in RESPONSES for key in keys(drawings[slug])]
    assert len(set(drawn)) == len(drawn)
    for key in drawn:
        assert not set(same_patients(key)) & set(drawn), key
    for trial in trials().values():
        if len(trial.antigens) > 1 and trial.n_cr is not None and not trial.pooled:
            assert {trial.key, *same_patients(trial.key)} & set(drawn), trial.key


def test_single_target_cohorts_beside_them_have_40_patients_or_more(drawings):
    for key in keys(drawings["response-leukaemia"]):
        if len(trials()[key].antigens) == 1:
            assert trials()[key].n_evaluable >= 40, key


def test_in_every_leukaemia_cohort_most_patients_respond(drawings):
    assert (drawings["response-leukaemia"].data["share"] > 0.5).all()


def test_outside_leukaemia_complete_response_runs_from_none_to_all(drawings):
    share = drawings["response-other"].data["share"]
    assert (share.min(), share.max()) == (0, 1)


def test_phenotypes_are_those_of_the_table(drawings):
    kept, lost = (rows(drawings["phenotype-forest"], what) for what in ("kept", "lost"))
    for key, (x, n, *_) in kept.items():
        split = relapse_split(trials()[key])
        known = split.total - split.unknown
        assert (x, n) == (split.antigen_positive, known), key
        assert tuple(lost[key][:2]) == (split.antigen_negative, known), key
    full = {
        t.key
        for t in trials().values()
        if None not in (t.n_relapse, t.n_relapse_ag_pos, t.n_relapse_ag_neg)
    }
    assert set(kept) == full


def test_with_several_targets_hardly_a_relapse_lost_them_all(drawings):
    lost = rows(drawings["phenotype-forest"], "lost")
    several = [row for key, row in lost.items() if len(trials()[key].antigens) > 1]
    assert sum(row[0] for row in several) <= 1
    single = [row[2] for key, row in lost.items() if len(trials()[key].antigens) == 1]
    assert min(single) < 0.1
    assert max(single) > 0.5


def test_the_two_reports_of_t_cells_at_relapse_lie_at_the_ends(drawings):
    share = {key: row[2] for key, row in rows(drawings["phenotype-persistence"]).items()}
    assert min(share, key=share.get) == "ghorashian2024_carpall"
    assert max(share, key=share.get) == "pulsipher2022_mrd"
    assert "loss of CAR T persistence" in trials()["ghorashian2024_carpall"].verification
    assert "persistence of B-cell aplasia" in trials()["pulsipher2022_mrd"].verification


def test_the_kinds_of_receptor_overlap(drawings):
    data = rows(drawings["phenotype-persistence"])
    by_domain = {
        domain: [row for key, row in data.items() if trials()[key].costim == domain]
        for domain in ("CD28", "4-1BB")
    }
    highest_cd28 = max(row[4] for row in by_domain["CD28"])
    lowest_41bb = min(row[3] for key, row in data.items() if trials()[key].costim == "4-1BB")
    assert lowest_41bb < highest_cd28

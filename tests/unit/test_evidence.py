"""The evidence tables: what loads, what is refused, and what the shipped rows say."""

from __future__ import annotations

import csv
import dataclasses
import io
from importlib import resources

import pytest

from car_relapse import evidence
from car_relapse.errors import EvidenceError

READERS = {
    "trials": (evidence.read_trials, "auto3_amelia"),
    "mechanisms": (evidence.read_mechanisms, "splicing_exon2"),
    "kinetics": (evidence.read_kinetics, "cd19_normal_b"),
    "landmarks": (evidence.read_landmarks, "eliana_primary"),
}


def table_text(name: str) -> str:
    path = resources.files("car_relapse") / "data" / f"{name}.csv"
    return path.read_text(encoding="utf-8")


def stream(name: str, *rows: dict[str, str]) -> io.StringIO:
    header = next(csv.reader(io.StringIO(table_text(name))))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    out.seek(0)
    return out


def good_row(name: str) -> dict[str, str]:
    key = "trial_key" if name == "landmarks" else "key"
    rows = csv.DictReader(io.StringIO(table_text(name)))
    return next(row for row in rows if row[key] == READERS[name][1])


def read_with(name: str, **changes: str):
    return READERS[name][0](stream(name, good_row(name) | changes))


@pytest.mark.parametrize("name", READERS)
def test_a_good_row_loads_from_a_stream(name):
    assert len(read_with(name)) == 1


@pytest.mark.parametrize("name", READERS)
def test_an_empty_table_is_refused(name):
    with pytest.raises(EvidenceError, match=f"{name} is empty; it must hold at least one row"):
        READERS[name][0](stream(name))


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("file", [None, 3.5, b"key,value"])
def test_what_is_no_csv_text_file_is_refused(name, file):
    if isinstance(file, bytes):
        file = io.BytesIO(file)
    with pytest.raises(EvidenceError, match=rf"{name} cannot be read .*; it must be a CSV text"):
        READERS[name][0](file)


@pytest.mark.parametrize("question", [(None, "EFS"), ("auto3_amelia", 7), ([], [])])
def test_landmarks_of_what_is_no_text_are_refused(question):
    with pytest.raises(EvidenceError, match=r"are not both text; .*; see landmarks\(\)"):
        evidence.landmarks_of(*question)


def test_only_a_row_of_the_trial_table_has_a_split():
    with pytest.raises(EvidenceError, match=r"trial is 'auto3_amelia'; .*; look it up in trials"):
        evidence.relapse_split("auto3_amelia")


@pytest.mark.parametrize("name", READERS)
def test_a_missing_column_is_refused(name):
    with pytest.raises(EvidenceError, match=r"header of .* is off by .*verification"):
        READERS[name][0](io.StringIO("key,doi\nx,y\n"))


def test_a_file_without_any_line_is_refused():
    with pytest.raises(EvidenceError, match="restore the header"):
        evidence.read_trials(io.StringIO(""))


@pytest.mark.parametrize("name", ["trials", "mechanisms", "kinetics"])
def test_a_key_that_stands_twice_is_refused(name):
    row = good_row(name)
    with pytest.raises(EvidenceError, match="stands twice; keys are unique"):
        READERS[name][0](stream(name, row, row))


def test_a_row_with_too_many_cells_is_refused():
    text = stream("mechanisms", good_row("mechanisms")).getvalue().rstrip("\n") + ",one more\n"
    with pytest.raises(EvidenceError, match="one cell per column"):
        evidence.read_mechanisms(io.StringIO(text))


def test_a_row_with_too_few_cells_is_refused():
    text = stream("mechanisms").getvalue() + "lonely,antigen-low\n"
    with pytest.raises(EvidenceError, match=r"'lonely'.*one cell per column"):
        evidence.read_mechanisms(io.StringIO(text))


def test_a_row_without_a_key_is_refused():
    with pytest.raises(EvidenceError, match="a row has a key"):
        read_with("kinetics", key="")


DEFECTS = [
    ("trials", {"n_infused": "many"}, "n_infused 'many'; it must be a finite number"),
    ("trials", {"n_infused": "nan"}, "it must be a finite number"),
    ("trials", {"n_infused": "15.5"}, "it must be a whole number"),
    ("trials", {"crs_ge3": "-1"}, "crs_ge3 '-1'; it must be a whole number"),
    ("trials", {"os_12m": "101"}, r"os_12m '101'; a percentage must lie in \[0, 100\]"),
    ("trials", {"efs_or_pfs_12m": "-3"}, r"must lie in \[0, 100\]"),
    ("trials", {"construct": "triple"}, "construct 'triple'; it must be one of 'single'"),
    ("trials", {"antigens": ""}, "targets at least one antigen"),
    ("trials", {"antigens": "CD19;CD19"}, "each named once"),
    ("trials", {"nct": "NCT1234"}, "nct 'NCT1234'; a registration number reads NCT"),
    ("trials", {"disease": ""}, "disease ''; it must not be empty"),
    ("trials", {"n_evaluable": ""}, "n_cr '13'; responses need the number of patients evaluable"),
    ("trials", {"n_relapse": "16"}, "n_relapse '16'; no more can relapse than were infused"),
    (
        "trials",
        {"antigens": "CD19", "n_relapse": "3", "n_relapse_partial": "1"},
        "n_relapse_partial '1'; with a single target none of several can be lost",
    ),
    ("trials", {"bibkey": ""}, "bibkey ''; a row with numbers cites its source"),
    ("trials", {"background": "phase", "phase": ""}, "must hold something, and not phase"),
    ("trials", {"derived": "n_relapse"}, "must hold something, and not n_relapse"),
    ("trials", {"median_followup_months": "-2"}, "a time must not be negative"),
    ("trials", {"n_cr": "16"}, "n_cr '16'; no more can respond than are evaluable"),
    ("trials", {"n_evaluable": "20"}, "no more can be evaluable than were infused"),
    ("trials", {"icans_ge3": "16"}, "no more can have toxicity than were infused"),
    (
        "trials",
        {"n_relapse": "2", "n_relapse_ag_pos": "2", "n_relapse_partial": "1"},
        "n_relapse '2'; its parts add up to 3",
    ),
    ("trials", {"endpoint_12m": ""}, "the name of its endpoint go together"),
    ("trials", {"background": "colour"}, "background 'colour'; it must list columns"),
    ("trials", {"derived": "n_cr;colour"}, "it must list columns"),
    ("trials", {"doi": "doi:10.1000/x"}, "a DOI reads"),
    ("trials", {"doi": "10.1000/x y"}, "a DOI reads"),
    ("trials", {"bibkey": "Cordoba 2021"}, "bibkey 'Cordoba 2021'; a key holds"),
    ("trials", {"verification": "I remember it"}, "it must begin with one of read in the full"),
    ("trials", {"verification": "not found: lost"}, "a row that was not found carries no number"),
    ("mechanisms", {"relapse_type": "other"}, "relapse_type 'other'; it must be one of"),
    ("mechanisms", {"mechanism": ""}, "mechanism ''; it must not be empty"),
    ("mechanisms", {"antigen": ""}, "antigen ''; it must not be empty"),
    ("mechanisms", {"evidence": " "}, "evidence ' '; it must not be empty"),
    ("mechanisms", {"bibkey": ""}, "bibkey ''; it must not be empty"),
    ("kinetics", {"parameter": ""}, "parameter ''; it must not be empty"),
    ("kinetics", {"context": ""}, "context ''; it must not be empty"),
    ("kinetics", {"unit": ""}, "unit ''; a number needs its unit"),
    ("kinetics", {"bound": ">", "value": ""}, "bound '>'; a bound needs the value"),
    ("kinetics", {"low": "30000"}, "low '30000'; the lower end must not exceed the upper"),
    ("kinetics", {"bound": "<"}, "bound '<'; it must be one of"),
    ("kinetics", {"value": "inf"}, "it must be a finite number"),
    ("landmarks", {"value": ""}, "a landmark needs its value"),
    ("landmarks", {"endpoint": "survival"}, "endpoint 'survival'; it must be one of 'OS'"),
    ("landmarks", {"unit": "months"}, "unit 'months'; a median is in months"),
    ("landmarks", {"statistic": "share"}, "month '6'; a probability needs the month .* nothing"),
    ("landmarks", {"month": "-6"}, "month '-6'; a time must not be negative"),
    ("landmarks", {"interval": ""}, "interval ''; ends of an interval and its kind go together"),
    ("landmarks", {"high_not_reached": "yes"}, "not reached has no number"),
    ("landmarks", {"value": "140"}, "a percentage must lie in"),
    ("landmarks", {"unit": "weeks"}, "unit 'weeks'; it must be one of"),
    ("landmarks", {"month": ""}, "a probability needs the month"),
    ("landmarks", {"month_high": "3"}, "the window must not end before it starts"),
    ("landmarks", {"ci_low": "74"}, "ci_low '74'; the interval must hold the value"),
    ("landmarks", {"ci_high": "72"}, "value '73'; the interval must hold the value"),
    ("landmarks", {"statistic": "mode"}, "statistic 'mode'; it must be one of"),
    ("landmarks", {"high_not_reached": "no"}, "high_not_reached 'no'; it must be one of"),
    ("landmarks", {"interval": "90% CI"}, "interval '90% CI'; it must be one of"),
    ("landmarks", {"n_at_start": "0.5"}, "it must be a whole number"),
]


@pytest.mark.parametrize(("name", "changes", "message"), DEFECTS)
def test_a_planted_defect_is_named_with_row_and_rule(name, changes, message):
    with pytest.raises(EvidenceError, match=message) as caught:
        read_with(name, **changes)
    assert str(caught.value).startswith(f"{name} row '{READERS[name][1]}' has ")
    assert str(caught.value).count("; ") >= 2


def test_tables_are_read_only_and_loaded_once():
    assert evidence.trials() is evidence.trials()
    with pytest.raises(TypeError):
        evidence.trials()["new"] = None  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        evidence.trials()["auto3_amelia"].n_cr = 15  # type: ignore[misc]
    assert isinstance(evidence.landmarks(), tuple)


def test_every_field_of_every_record_has_its_own_docstring():
    text = (resources.files("car_relapse") / "records.py").read_text(encoding="utf-8")
    for record in (evidence.Sourced, evidence.Trial, evidence.Mechanism, evidence.KineticValue):
        for field in dataclasses.fields(record):
            after = text.split(f"    {field.name}: ", 1)[1].splitlines()
            assert after[1].strip().startswith('"""'), field.name


def all_rows():
    yield from evidence.trials().values()
    yield from evidence.mechanisms().values()
    yield from evidence.kinetics().values()
    yield from evidence.landmarks()


def test_the_shipped_tables_speak_to_readers_and_not_to_their_makers():
    forbidden = ("corpus", "tool result", "seed", "memory: ", "from memory", "mirror")
    for row in all_rows():
        for field in dataclasses.fields(row):
            text = str(getattr(row, field.name))
            assert not any(word in text for word in forbidden), (row, field.name)


def test_only_rows_that_nobody_could_confirm_are_unverified_and_they_hold_no_number():
    unverified = [row for row in all_rows() if not row.verified]
    assert {row.key for row in unverified} == {"scri_car19x22", "loss_rate_per_division"}
    assert evidence.kinetics()["loss_rate_per_division"].value is None


def test_every_row_with_an_outcome_cites_a_source():
    for row in all_rows():
        outcome = getattr(row, "n_cr", None) or getattr(row, "n_relapse", None)
        assert row.bibkey or outcome is None, row


def test_one_source_has_one_doi_in_all_tables():
    dois: dict[str, set[str]] = {}
    for row in all_rows():
        if row.bibkey and row.doi:
            dois.setdefault(row.bibkey, set()).add(row.doi)
    # One cohort's later report carries its own DOI under its own key.
    assert {key for key, found in dois.items() if len(found) > 1} == set()


def test_background_fields_are_only_those_that_describe_a_trial():
    allowed = {"nct", "sponsor_or_group", "construct", "costim", "antigens", "disease"}
    for trial in evidence.trials().values():
        assert trial.background <= allowed, trial.key
        assert all(getattr(trial, field) for field in trial.background), trial.key


def test_derived_fields_hold_a_number():
    for trial in evidence.trials().values():
        assert all(getattr(trial, field) is not None for field in trial.derived), trial.key


def test_the_six_trials_come_in_the_order_of_the_article():
    assert list(evidence.seed_trials()) == [
        "NCT03241940",
        "NCT03289455",
        "NCT03233854",
        "NCT03330691",
        "NCT03448393",
        "NCT03019055",
    ]
    pair = evidence.seed_trials()["NCT03233854"]
    assert [(t.disease, t.n_infused) for t in pair] == [("B-ALL", 17), ("LBCL", 21)]


def test_only_five_of_the_six_trials_target_cd19_and_cd22():
    cohorts = [t for group in evidence.seed_trials().values() for t in group]
    odd = {t.key: t.antigens for t in cohorts if t.antigens != ("CD19", "CD22")}
    assert odd == {"mcw_lv2019": ("CD20", "CD19")}


def test_multi_antigen_trials_leave_out_single_targets_and_pooled_rows():
    keys = {t.key for t in evidence.multi_antigen_trials()}
    assert {t.key for g in evidence.seed_trials().values() for t in g} <= keys
    assert not keys & {"eliana_primary", "fergusson2023_meta_all", "dual1922_meta405"}


def test_amelia_infused_15_and_13_responded_and_its_registration_is_not_alexanders():
    amelia = evidence.trials()["auto3_amelia"]
    assert (amelia.n_infused, amelia.n_cr, amelia.efs_or_pfs_12m, amelia.os_12m) == (15, 13, 32, 60)
    assert amelia.nct == "NCT03289455"
    assert evidence.trials()["auto3_alexander"].nct == "NCT03287817"


def test_the_unread_trial_keeps_only_what_the_article_prints():
    unread = evidence.trials()["scri_car19x22"]
    assert not unread.verified
    assert unread.n_infused is None
    assert unread.background == {"nct", "antigens", "disease"}
    assert unread.construct == "not stated"


def test_counts_that_rest_on_an_unread_denominator_are_left_empty():
    cocktail = evidence.trials()["wangn2020_cocktail_all"]
    assert (cocktail.n_infused, cocktail.n_evaluable, cocktail.n_cr) == (51, None, None)


SPLITS = {
    "lamble2023_phenotype": (166, 83, 68, 0, 12, 3),
    "pillai2019_cd19dim": (67, 28, 39, 0, 0, 0),
    "wangt2023_coadmin": (43, 24, 1, 16, 0, 2),
    "stanford_adult_1922_ball": (10, 5, 0, 5, 0, 0),
    "stanford_adult_1922_lbcl": (14, 10, 0, 4, 0, 0),
    "aldoss2025_blina": (79, 54, 22, 0, 0, 3),
    "jabbour2018_blina_failure": (61, 56, 5, 0, 0, 0),
    "ghorashian2024_carpall": (5, 5, 0, 0, 0, 0),
    "orourke2017_egfrviii": (7, 0, 5, 0, 0, 2),
}


@pytest.mark.parametrize(("key", "numbers"), SPLITS.items())
def test_relapses_split_as_the_source_counts_them(key, numbers):
    assert dataclasses.astuple(evidence.relapse_split(evidence.trials()[key])) == numbers


@pytest.mark.parametrize("key", ["auto3_amelia", "tang2022_bcma_cd38", "mcw_lv2019"])
def test_a_cohort_without_total_or_phenotype_has_no_split(key):
    with pytest.raises(EvidenceError, match=f"{key}.*a split needs a total and at least one class"):
        evidence.relapse_split(evidence.trials()[key])


def test_the_parts_of_every_split_add_up_to_its_total():
    for trial in evidence.trials().values():
        try:
            total, *parts = dataclasses.astuple(evidence.relapse_split(trial))
        except EvidenceError:
            continue
        assert sum(parts) == total


def test_the_12_month_value_of_a_trial_agrees_with_its_landmarks():
    for trial in evidence.trials().values():
        if trial.efs_or_pfs_12m is None:
            continue
        endpoint = trial.endpoint_12m.split()[0]
        cohort = [row for row in evidence.landmarks() if row.trial_key == trial.key]
        at_12 = {r.value for r in cohort if r.endpoint == endpoint and r.month == 12}
        assert not at_12 or trial.efs_or_pfs_12m in at_12, trial.key


def test_reports_of_the_same_patients_are_known_both_ways_and_exist():
    assert evidence.same_patients("auto3_amelia") == ()
    assert "eliana_5y" in evidence.same_patients("eliana_primary")
    for key in evidence.trials():
        for other in evidence.same_patients(key):
            assert key in evidence.same_patients(other)
    listed = [key for group in evidence._SAME_PATIENTS for key in group]
    assert set(listed) <= set(evidence.trials())
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize("key", ["nobody", None, []])
def test_only_a_trial_shares_patients(key):
    with pytest.raises(EvidenceError, match="is not the key of a trial"):
        evidence.same_patients(key)


def test_landmarks_are_found_by_cohort_and_endpoint():
    rows = evidence.landmarks_of("eliana_primary", "EFS")
    assert [(r.month, r.value, r.ci_low, r.ci_high) for r in rows] == [
        (6, 73, 60, 82),
        (12, 50, 35, 64),
    ]


def test_an_upper_limit_that_was_not_reached_is_not_a_number():
    row = evidence.landmarks_of("wangn2020_cocktail_all", "PFS")[0]
    assert (row.value, row.ci_low, row.ci_high, row.high_not_reached) == (13.6, 6.5, None, True)


def test_a_quartile_range_is_not_called_a_confidence_interval():
    assert evidence.landmarks_of("goff2019_egfrviii", "OS")[0].interval == "IQR"


def test_asking_for_an_endpoint_that_is_absent_lists_those_that_are_there():
    with pytest.raises(EvidenceError, match="it has EFS, OS"):
        evidence.landmarks_of("auto3_amelia", "PFS")
    with pytest.raises(EvidenceError, match="it has no landmark at all"):
        evidence.landmarks_of("nobody", "OS")


def test_lower_bounds_stay_lower_bounds():
    persistence = evidence.kinetics()["mueller2018_persist"]
    assert (persistence.bound, persistence.value, persistence.unit) == (">", 2.0, "years")


def test_stein_values_are_those_of_the_published_table():
    value = {key: row.value for key, row in evidence.kinetics().items() if key.startswith("stein")}
    assert (value["stein_cmax"], value["stein_alpha"], value["stein_fb"]) == (24000, 0.16, 0.0079)

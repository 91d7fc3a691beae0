"""``mms-worker settings``: what is in force, what differs, what is refused; and the reference of them all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from worker.commands.settings_reference import SECTIONS, TOGETHER, in_words, markdown, reference
from worker.settings import InvalidSettings, Settings, load_settings, variable

PAGE = Path("deploy/settings.md")
MADE_UP = "correct-horse-battery"


def settings(*options: str, **variables: str) -> tuple[int, str, str]:
    """Exit code, output and error output of the command in an environment of these variables."""
    done = subprocess.run(
        [sys.executable, "-m", "worker", "settings", *options],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), "COLUMNS": "80", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def rows(**variables: str) -> dict[str, dict[str, Any]]:
    code, out, err = settings("--json", **variables)
    assert (code, err) == (0, "")
    return {row["variable"]: row for row in orjson.loads(out)}


def test_every_setting_is_shown_with_its_default_in_80_columns() -> None:
    code, out, err = settings()
    assert (code, err) == (0, "")
    head, *lines = out.splitlines()
    assert head.split() == ["variable", "value", "default"]
    cells = [line.split(maxsplit=1) for line in lines]
    assert [(name, value.strip()) for name, value in cells] == [
        (variable(field), in_words(info.default)) for field, info in Settings.model_fields.items()
    ]
    assert max(map(len, out.splitlines())) <= 80


def test_what_the_environment_sets_is_shown_beside_the_default() -> None:
    code, out, _ = settings(MMS_PARTITIONS="48", MMS_BATCH_MAX_MS="12.50", MMS_ACCEPT_GAP="yes")
    assert code == 0
    differing = [line.split() for line in out.splitlines()[1:] if len(line.split()) == 3]
    assert [line for line in differing if line[1:] != ["not", "set"]] == [
        ["MMS_PARTITIONS", "48", "12"],
        ["MMS_ACCEPT_GAP", "true", "false"],
        ["MMS_BATCH_MAX_MS", "12.5", "50"],
    ]


def test_a_value_as_it_was_by_default_differs_from_nothing() -> None:
    told = rows(MMS_PARTITIONS="12", MMS_SESSION_TIMEOUT_S="10.0", MMS_WEB_HOST="")
    assert not any(row["differs"] for row in told.values())


def test_programs_get_values_and_defaults_with_their_types(tmp_path: Path) -> None:
    told = rows(MMS_WEB_PORT="0", MMS_CODES_DIR=str(tmp_path))
    assert told["MMS_WEB_PORT"] | {"meaning": ""} == {
        "variable": "MMS_WEB_PORT", "value": 0, "default": 9464, "differs": True, "meaning": "",
    }  # fmt: skip
    assert (told["MMS_CODES_DIR"]["value"], told["MMS_CODES_DIR"]["default"]) == (str(tmp_path), None)
    assert list(told) == [variable(field) for field in Settings.model_fields]


def test_of_a_secret_the_file_is_shown_and_not_what_it_holds(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(MADE_UP)
    given = {
        "MMS_SECURITY_PROTOCOL": "SASL_SSL",
        "MMS_SASL_USERNAME": "worker",
        "MMS_SASL_PASSWORD_FILE": str(file),
    }
    for options in ((), ("--json",)):
        code, out, err = settings(*options, **given)
        assert code == 0
        assert str(file) in out
        assert MADE_UP not in out + err


def test_a_long_value_stays_in_its_line_where_no_screen_bounds_it(tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 30)
    folder.mkdir()
    _, out, _ = settings(MMS_POLICIES_DIR=str(folder))
    (line,) = (line for line in out.splitlines() if line.startswith("MMS_POLICIES_DIR"))
    assert line.split() == ["MMS_POLICIES_DIR", str(folder), "not", "set"]


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"MMS_PARTITION": "4"}, "MMS_PARTITION is not a setting; did you mean MMS_PARTITIONS?"),
        ({"MMS_PARTITIONS": "many"}, "MMS_PARTITIONS: "),
        ({"MMS_PARTITIONS": "0"}, "MMS_PARTITIONS: "),
        ({"MMS_BUFFER_LOW_RECORDS": "9000"}, "MMS_BUFFER_LOW_RECORDS must be below MMS_BUFFER_HIGH_RECORDS"),
        ({"MMS_CODES_DIR": "nowhere"}, "MMS_CODES_DIR: "),
    ],
)
def test_what_is_refused_is_told_by_its_variable_as_the_worker_would(
    variables: dict[str, str], told: str
) -> None:
    for options in ((), ("--json",)):
        code, out, err = settings(*options, **variables)
        assert (code, out) == (2, "")
        assert err.startswith(f"mms-worker: {told}")


def test_one_form_is_printed_at_a_time() -> None:
    code, out, err = settings("--json", "--markdown")
    assert (code, out) == (2, "")
    assert err == "mms-worker: give --markdown or --json, not both\n"


def test_the_page_is_what_the_code_prints_whatever_the_environment_has() -> None:
    code, out, err = settings("--markdown", MMS_PARTITION="misspelt")
    assert (code, err) == (0, "")
    assert PAGE.read_text() == out == markdown(), f"mms-worker settings --markdown > {PAGE}"


def test_every_setting_has_one_place_in_the_page() -> None:
    listed = [field for fields in SECTIONS.values() for field in fields]
    assert sorted(listed) == sorted(Settings.model_fields)


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_has_a_meaning_that_is_a_sentence(field: str) -> None:
    meaning = reference()[field].meaning
    assert meaning.endswith(".")
    assert len(meaning.split()) >= 4
    assert "``" not in meaning


@pytest.mark.parametrize(
    ("field", "allowed"),
    [
        ("partitions", "whole number from 1 to 10000"),
        ("session_timeout_s", "number of seconds from 0.001 to 86400"),
        ("batch_max_ms", "number of milliseconds, above 0, at most 5000"),
        ("buffer_low_records", "whole number of records, at least 1"),
        ("history_max_bytes", "whole number of bytes, at least 1024"),
        ("log_level", "`debug`, `info`, `warning` or `error`"),
        ("accept_gap", "`true` or `false`"),
        ("bootstrap_servers", "`host:port`, with commas between several"),
        ("app_id", "letters, digits, `.`, `_` and `-`, at most 200; not `.` or `..`"),
        ("sasl_username", "text"),
        ("result_source", "text, at most 1024 characters"),
        ("sasl_password_file", "path of a file that is there"),
        ("codes_dir", "path of a folder that is there"),
    ],
)
def test_allowed_values_are_told_in_words(field: str, allowed: str) -> None:
    assert reference()[field].allowed == allowed


TOGETHER_BROKEN: tuple[dict[str, Any], ...] = (
    {"heartbeat_interval_s": 4, "session_timeout_s": 11},
    {"input_topic": "same", "changelog_topic": "same"},
    {"security_protocol": "SASL_SSL", "sasl_username": "worker"},
    {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"},
    {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "OAUTHBEARER",
        "oauth_token_url": "https://example.org/token",
        "oauth_client_id": "worker",
    },
    {
        "security_protocol": "SASL_SSL",
        "sasl_username": "worker",
        "sasl_password_file": __file__,
        "oauth_token_file": __file__,
    },
    {"tls_ca_file": __file__},
    {"security_protocol": "SSL", "tls_key_file": __file__},
    {"sealing_required": True},
)


@pytest.mark.parametrize(("rule", "broken"), list(zip(TOGETHER, TOGETHER_BROKEN, strict=True)))
def test_what_the_page_says_of_several_settings_is_refused(
    rule: str, broken: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("MMS_")]:
        monkeypatch.delenv(name)
    with pytest.raises(InvalidSettings):
        load_settings(**broken)

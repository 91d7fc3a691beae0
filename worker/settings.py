"""Settings of the worker: environment variables that begin with ``MMS_``, and nothing else.

No field holds a secret: passwords are named by file (``MMS_SASL_PASSWORD_FILE``) and read when a connection
is made, so that neither a printed settings object nor a process listing can show one.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, DirectoryPath, Field, FilePath, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.adjudication import Limits

PREFIX = "MMS_"

SERVICE_LINK = re.compile(
    r"_SERVICE_(HOST|PORT(_\w+)?)=.*"
    r"|_PORT=(tcp|udp|sctp)://.*"
    r"|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=.*"
)
"""What Kubernetes sets in a pod for each Service beside it: one named mms-demo yields MMS_DEMO_SERVICE_HOST
and its like. A bare ``…_PORT`` is told by its value from a misspelt setting."""
SERVERS = re.compile(r"[^,\s@/]+:[0-9]{1,5}(,[^,\s@/]+:[0-9]{1,5})*")
"""Neither a scheme nor a user: what may hold a password is named by file."""


def _not_only_dots(name: str) -> str:
    if name in {".", ".."}:
        raise ValueError("must not be . or ..")
    return name


def _addresses(servers: str) -> str:
    if not SERVERS.fullmatch(servers):
        raise ValueError("give host:port, and commas between several; no scheme, no user")
    for server in servers.split(","):
        if not 1 <= int(server.rpartition(":")[2]) <= 65535:
            raise ValueError(f"{server} has no port between 1 and 65535")
    return servers


def _token_url(url: str) -> str:
    parts = urlsplit(url)
    local = parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if not parts.hostname or parts.scheme not in {"https", "http"} or (parts.scheme == "http" and not local):
        raise ValueError(
            "give an https:// address; http:// is for this machine alone, since the secret is sent"
        )
    if parts.username or parts.password:
        raise ValueError("must not hold a user or a password")
    return url


Name = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._-]+$"), AfterValidator(_not_only_dots)
]
"""A topic or group name, as Kafka allows it."""
Servers = Annotated[str, AfterValidator(_addresses)]
"""Addresses as ``host:port``, with commas between them."""
Seconds = Annotated[float, Field(ge=0.001, le=86_400)]
Days = Annotated[float, Field(ge=0.01, le=36_500)]

TOPICS = ("input_topic", "results_topic", "dead_letter_topic", "changelog_topic")
BELOW = (
    ("buffer_low_records", "buffer_high_records"),
    ("revoke_deadline_s", "session_timeout_s"),
    ("batch_deadline_s", "transaction_timeout_s"),
)
"""Pairs of settings of which the first must be below the second."""
SASL = ("sasl_username", "sasl_password_file")
TOKEN_SERVICE = ("oauth_token_url", "oauth_client_id", "oauth_client_secret_file")
OAUTH = ("oauth_token_file", *TOKEN_SERVICE, "oauth_scope")
TLS = ("tls_ca_file", "tls_cert_file", "tls_key_file", "tls_key_password_file")


class InvalidSettings(ValueError):  # noqa: N818  reads as what it says
    """The environment does not make valid settings; the message names each variable at fault."""


class Settings(BaseSettings):
    """What a worker is told by its environment; units are in the names (``_s``, ``_ms``, ``_bytes``)."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    bootstrap_servers: Servers = "127.0.0.1:9092"
    """Brokers that are asked first; they tell of the others."""
    app_id: Name = "mms-adjudication-worker"
    """Consumer group, and the beginning of every transactional id."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How brokers are spoken to: ``SSL`` is TLS, ``SASL`` is with a login."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = "SCRAM-SHA-512"
    """How the user is proved to the brokers, by a protocol with ``SASL``."""
    sasl_username: str | None = None
    """The user whose rights on topics and group the worker has."""
    sasl_password_file: FilePath | None = None
    """File with the password of that user. A new one is used from the next connection on."""
    oauth_token_file: FilePath | None = None
    """File with a bearer token that something else renews, as Kubernetes does; read for every connection."""
    oauth_token_url: Annotated[str, AfterValidator(_token_url)] | None = None
    """Where an OAuth 2 service gives tokens for client credentials; HTTPS, or HTTP on this machine alone."""
    oauth_client_id: str | None = None
    """The client that asks for them."""
    oauth_client_secret_file: FilePath | None = None
    """File with that client's secret. A new one is used for the next token."""
    oauth_scope: str | None = None
    """The scope that is asked for, if the service wants one."""
    tls_ca_file: FilePath | None = None
    """Certificates (PEM) that those of brokers must come from; without it those of the system."""
    tls_cert_file: FilePath | None = None
    """The worker's own certificate (PEM), for brokers that ask for one."""
    tls_key_file: FilePath | None = None
    """Key of that certificate (PEM); without it the key is in the certificate's file."""
    tls_key_password_file: FilePath | None = None
    """File with the password of that key, if it is encrypted."""

    input_topic: Name = "mms.claim-events.v1"
    """Events of claims, which are read; only ``dlq redrive`` writes to it."""
    results_topic: Name = "mms.claim-results.v1"
    """Where results of adjudication are published."""
    dead_letter_topic: Name = "mms.claim-events.dlq.v1"
    """Where records go that cannot be decided, as they came in and with the reason."""
    changelog_topic: Name = "mms.member-history.changelog.v1"
    """Members' histories, compacted: a partition is restored from it."""
    partitions: Annotated[int, Field(ge=1, le=10_000)] = 12
    """Partitions of each of the four topics; state moves with them, so they are never changed afterwards."""
    replication: Annotated[int, Field(ge=1, le=32)] = 3
    """Replicas of each partition, when ``topics create`` makes them."""
    input_retention_days: Days = 14
    """How long ``topics create`` has brokers keep events. What is gone cannot be replayed."""
    results_retention_days: Days = 400
    """How long ``topics create`` has brokers keep results. Replay compares with them."""
    dead_letter_retention_days: Days = 90
    """How long ``topics create`` has brokers keep dead letters, to be redriven."""
    history_max_bytes: Annotated[int, Field(ge=1024)] = 1 << 20
    """The cap of one member's history; the changelog's records may be twice as large."""
    history_look_back_days: Annotated[int, Field(ge=1, le=36_500)] = 400
    """How long before the member's newest service date a claim's latest one may be for it to be held."""
    history_max_day_lines: Annotated[int, Field(ge=50, le=100_000)] = 500
    """Lines of a member that may meet on the days of service of one event; a claim alone may have 50."""

    key_partition_check: bool = True
    """Whether a record must lie on the partition that murmur2 of its key names."""
    result_source: Annotated[str, Field(min_length=1, max_length=1024)] = "/mms-adjudication-worker"
    """``ce_source`` of the results."""
    accept_gap: bool = False
    """Go on where input records are missing or the committed offset is lost; what is missing is logged."""
    codes_dir: DirectoryPath | None = None
    """Code sets to use instead of those that come with the worker. Its SHA256SUMS must list them."""
    policies_dir: DirectoryPath | None = None
    """Policies to use instead of those that come with the worker. Its SHA256SUMS must list them."""
    payers_file: FilePath | None = None
    """Which payer uses which policy, instead of the ``payers.toml`` beside the policies.

    FILE.sha256 beside it must list it.
    """

    sealing_keys_dir: DirectoryPath | None = None
    """Keys that histories and dead letters are sealed with: a file a key, its name the key's id."""
    sealing_key: Name | None = None
    """Id of the key that seals what is written; without it nothing is sealed, what is sealed still read."""
    sealing_required: bool = False
    """Refuse a history that is not sealed, once all of them are: nobody can put in a plain one then."""
    signing_key_file: FilePath | None = None
    """Ed25519 key (PEM) that results are signed with; without it they are not."""

    batch_max_records: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """The most records that are decided and committed as one batch.

    None is waited for to fill it, but while one is being committed the next takes what comes, up to this.
    """
    batch_max_ms: Annotated[float, Field(gt=0, le=5000)] = 50
    """How long the decisions of one batch may hold up everything else in the process, heartbeats included.

    A batch is cut behind the record at which this time is over.
    """
    buffer_high_records: Annotated[int, Field(ge=2)] = 8000
    """Records in a lane's buffer above which its partition is paused."""
    buffer_low_records: Annotated[int, Field(ge=1)] = 3000
    """To what a paused partition's buffer has to fall before it is resumed."""
    buffer_high_bytes: Annotated[int, Field(ge=1 << 20)] = 32 << 20
    """Bytes of a lane's buffer above which its partition is paused too; it is resumed at half of that."""

    session_timeout_s: Seconds = 10
    """After how long without a heartbeat a worker's partitions are given to another."""
    heartbeat_interval_s: Seconds = 0.5
    """How often a worker shows the group that it lives, and hears of a rebalance."""
    fetch_max_wait_ms: Annotated[int, Field(ge=1, le=20)] = 20
    """How long a broker may hold back a fetch that finds nothing.

    It answers one of a connection at a time: a longer wait is latency of every partition.
    """
    metadata_max_age_s: Seconds = 30
    """How soon changed partition counts are noticed."""
    request_timeout_s: Seconds = 10
    """How long a broker may take to answer a request."""
    transaction_timeout_s: Seconds = 15
    """After how long brokers abort a transaction whose worker is gone; until then readers wait."""
    producer_start_deadline_s: Seconds = 10
    """How long a lane's producer may take to start; it fences a former one meanwhile."""
    batch_deadline_s: Seconds = 8
    """How long a batch may take from first byte sent to the commit's answer; then its lane begins again."""
    producer_stop_deadline_s: Seconds = 1
    """How long a producer that is thrown away may take to stop before it is cut off."""
    revoke_deadline_s: Seconds = 5
    """How long batches in flight may take to commit when their partition is taken away."""
    stop_deadline_s: Seconds = 3.5
    """How long a stopping worker lets its lanes finish the batches in flight."""
    retry_first_s: Seconds = 0.1
    """The longest wait before the first retry of what failed; each further one doubles it."""
    retry_longest_s: Seconds = 5
    """The longest wait before any retry."""
    patience_s: Seconds = 120
    """How long one partition, or the group, may fail without a success before the worker crashes.

    Brokers that are not there when it starts are waited for without end.
    """

    dead_letter_limit: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of dead letters above which the worker stops instead of going on."""
    dead_letter_window_s: Seconds = 60
    """How far back records count for the share of dead letters."""
    dead_letter_least_records: Annotated[int, Field(ge=1)] = 200
    """Records in the window below which the share says nothing."""
    breaker_hold_s: Annotated[float, Field(ge=0, le=600)] = 20
    """How long a worker that the breaker has stopped still serves its metrics, so that Prometheus sees why.

    It decides nothing and is in no group meanwhile. Longer than a scrape interval.
    """

    web_host: str = "127.0.0.1"
    """Address that /livez, /readyz and /metrics are served on; the default is for this machine alone."""
    web_port: Annotated[int, Field(ge=0, le=65535)] = 9464
    """Port of /livez, /readyz and /metrics; 0 takes a free one."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe of what is logged."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """``json``, or ``console`` for people; ``auto`` is ``console`` on a terminal and JSON elsewhere."""
    traces: Literal["off", "otlp"] = "off"
    """``otlp``: a span a batch, sent as the ``OTEL_`` variables say; needs the extra ``tracing``."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for below, above in BELOW:
            if getattr(self, below) >= getattr(self, above):
                raise ValueError(f"{variable(below)} must be below {variable(above)}")
        if self.heartbeat_interval_s * 3 > self.session_timeout_s:
            raise ValueError("MMS_HEARTBEAT_INTERVAL_S must be at most a third of MMS_SESSION_TIMEOUT_S")
        if len({getattr(self, topic) for topic in TOPICS}) < len(TOPICS):
            raise ValueError(f"{', '.join(map(variable, TOPICS))} must differ")
        self._secured()
        return self

    @property
    def limits(self) -> Limits:
        """What a member's history is held to."""
        return Limits(self.history_look_back_days, self.history_max_bytes, self.history_max_day_lines)

    def _secured(self) -> None:
        """What security asks for is there, and nothing that it would leave unused."""
        protocol = f"{variable('security_protocol')}={self.security_protocol}"
        mechanism = f"{variable('sasl_mechanism')}={self.sasl_mechanism}"
        if "SSL" not in self.security_protocol:
            self._unused(TLS, protocol)
        if "SASL" not in self.security_protocol:
            self._unused((*SASL, *OAUTH), protocol)
        elif self.sasl_mechanism != "OAUTHBEARER":
            self._unused(OAUTH, mechanism)
            self._needed(SASL, protocol)
        elif self.oauth_token_file is None:
            self._unused(SASL, mechanism)
            if self.oauth_token_url is None:
                either = " or ".join(map(variable, ("oauth_token_file", "oauth_token_url")))
                raise ValueError(f"{either} is required with {mechanism}")
            self._needed(TOKEN_SERVICE, variable("oauth_token_url"))
        else:
            self._unused((*SASL, *TOKEN_SERVICE, "oauth_scope"), variable("oauth_token_file"))
        self._only_with("tls_cert_file", ("tls_key_file", "tls_key_password_file"))
        self._only_with("sealing_keys_dir", ("sealing_key",))
        self._only_with("sealing_key", ("sealing_required",))

    def _unused(self, fields: Sequence[str], beside: str) -> None:
        for field in fields:
            if getattr(self, field):
                raise ValueError(f"{variable(field)} is not used with {beside}")

    def _needed(self, fields: Sequence[str], beside: str) -> None:
        for field in fields:
            if not getattr(self, field):
                raise ValueError(f"{variable(field)} is required with {beside}")

    def _only_with(self, needed: str, fields: Sequence[str]) -> None:
        for field in fields:
            if getattr(self, field) and not getattr(self, needed):
                raise ValueError(f"{variable(field)} needs {variable(needed)} beside it")


def variable(field: str) -> str:
    """The environment variable of a settings field."""
    return PREFIX + field.upper()


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment; ``overrides`` are fields that the command line gives.

    Raises InvalidSettings with one line a fault, each naming its variable. A variable that begins with
    ``MMS_`` and is none of the settings is a fault too: a misspelt one must not be ignored in silence. Only
    the links that Kubernetes sets by itself are passed over.
    """
    known = [variable(field) for field in Settings.model_fields]
    faults = [
        _unknown(name, known)
        for name, value in os.environ.items()
        if name.startswith(PREFIX) and name not in known and not _is_service_link(name, value)
    ]
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        faults += [_fault(fault) for fault in error.errors(include_url=False, include_input=False)]
    except OSError as error:  # looking for a file or directory failed
        faults += [
            f"{name}: {error.strerror}" for name in known if os.environ.get(name) == str(error.filename)
        ] or [str(error)]
    if faults:
        raise InvalidSettings("\n".join(faults))
    return settings


def _is_service_link(name: str, value: str) -> bool:
    return SERVICE_LINK.search(f"{name}={value}") is not None


def _unknown(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"{name} is not a setting" + (f"; did you mean {close[0]}?" if close else "")


def _fault(fault: Mapping[str, Any]) -> str:
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{variable(str(fault['loc'][0]))}: {message}" if fault["loc"] else message

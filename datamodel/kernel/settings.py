"""Settings, read from the environment (`METRICIS_...`) or given by the launcher."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that differs between installations."""

    model_config = SettingsConfigDict(env_prefix="METRICIS_", extra="ignore", populate_by_name=True)

    environment: Literal["production", "development"] = Field(
        default="development", validation_alias=AliasChoices("METRICIS_ENVIRONMENT", "ENVIRONMENT")
    )
    #: Folder of this installation: embedded database, marts, exports, keys.
    home: Path = Path(".metricis")
    #: Any PostgreSQL from 17 on, as `postgresql://user:password@host:port/name`; empty means the embedded one.
    #: The role of the application: not the owner, and no administrator of the server.
    database_url: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("METRICIS_DATABASE_URL", "DATABASE_URL")
    )
    #: The same database as other roles: who owns the tables, who changes their shape, who seals the ledger.
    owner_url: SecretStr = SecretStr("")
    migrator_url: SecretStr = SecretStr("")
    sealer_url: SecretStr = SecretStr("")
    #: 32 bytes, base64, with which scopes are signed; empty means the file `scope.key` in `home`.
    scope_key: SecretStr = SecretStr("")
    #: 32 bytes, base64, of which the keys that sign the ledger's heads follow; empty means the file `ledger.key` in `home`
    #: (refused in production).
    ledger_key: SecretStr = SecretStr("")
    #: 32 bytes, base64; empty means the key file in `home` (refused in production).
    root_key: SecretStr = SecretStr("")
    #: A file that holds the root key, or a command that prints it, in place of the variable.
    root_key_file: Path | None = None
    root_key_command: str = ""
    #: Earlier root keys, separated by commas: they only open what was wrapped with them.
    root_key_previous: SecretStr = SecretStr("")
    #: Fernet key of values sealed before `enc:v3` (`enc:v1:`, `enc:v2:`), and earlier ones: they only open.
    redcap_encryption_key: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("METRICIS_REDCAP_ENCRYPTION_KEY", "REDCAP_ENCRYPTION_KEY")
    )
    redcap_encryption_key_previous: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=AliasChoices("METRICIS_REDCAP_ENCRYPTION_KEY_PREVIOUS", "REDCAP_ENCRYPTION_KEY_PREVIOUS"),
    )
    #: One-time bridge: secrets found in plain text are read and sealed, each with a critical line in the log.
    allow_plaintext_reads: bool = Field(
        default=False,
        validation_alias=AliasChoices("METRICIS_ALLOW_PLAINTEXT_READS", "REDCAP_ENCRYPTION_ALLOW_PLAINTEXT_READS"),
    )
    #: Opens what is for development only; in production it is ignored, and the cutover check reports it.
    dev_mode: bool = Field(default=False, validation_alias=AliasChoices("METRICIS_DEV_MODE", "DEV_MODE"))
    #: Hosts that a REDCap address may name in production, separated by commas.
    redcap_hosts: str = ""
    #: Address under which people reach the web process.
    base_url: str = "http://127.0.0.1:8600"
    #: Whether staff need a second factor; empty means yes in production, no elsewhere.
    require_second_factor: bool | None = None
    #: An institution's sign-in (OpenID Connect): its issuer, what it calls us, and the secret it gave us.
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    #: What its button is called.
    oidc_name: str = ""
    #: Where mail is handed over; without a host no mail goes out.
    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    #: `starttls` (usual at port 587), `tls` (from the first byte, port 465), or `none`, which production refuses.
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    #: A file of certificates to trust instead of the system's.
    smtp_ca_file: Path | None = None
    #: Sender of our mail.
    mail_from: str = "metricis@localhost"
    #: Address of Prefect's API, shown as links to run logs.
    prefect_url: str = ""

    @property
    def marts_folder(self) -> Path:
        """Where snapshots live: one folder a study, one folder a snapshot."""
        return self.home / "marts"

    @property
    def exports_folder(self) -> Path:
        """Where export packages are written."""
        return self.home / "exports"

    @property
    def requires_second_factor(self) -> bool:
        """Whether staff without a second factor must set one up before they come in."""
        return self.is_production if self.require_second_factor is None else self.require_second_factor

    @property
    def is_production(self) -> bool:
        """Whether the installation holds real participants."""
        return self.environment == "production"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process."""
    return Settings()

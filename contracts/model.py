"""How every contract model behaves: frozen, strict, closed to unknown fields, silent about values in errors."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Strict JSON types, no unknown fields, and error texts that never repeat what the sender wrote."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        ser_json_bytes="base64",
    )

"""The private halves of ``contracts/examples/sealing/keys.json``: published on purpose, they protect nothing."""

from joserfc.jwk import OKPKey

VAULT = OKPKey.import_key(
    {
        "kty": "OKP",
        "crv": "X25519",
        "x": "2SlElZOJ3PUlqZhfjfNx011_xF1ZnEbRSBwVza13am4",
        "d": "QPjiNRiDghgCONyGuHLeM7Tv068wMh2hcwRQxLNxoUw",
    }
)
RECIPIENT = OKPKey.import_key(
    {
        "kty": "OKP",
        "crv": "X25519",
        "x": "-jNYW2fE_HTg940GcPBH15Coah-HLkdJgwYxjYO-bUw",
        "d": "8JxO3pUdUq8MkNRonoS3yWpnZzvAr3CYQMkxE0uUXWo",
    }
)
TARGET = OKPKey.import_key(
    {
        "kty": "OKP",
        "crv": "X25519",
        "x": "BKnVh0uqR0vV0SRYKbH39JAe6hwmSYSVnrq0QS9tg3o",
        "d": "uHdXezUbsUh2sbKaih69csNa3vQF_f5HIj6sq_TB3Gk",
    }
)

//! A certificate authority for the tests of the sidecar.

use aci_operator::core::certificate::Pair;
use aci_operator::core::secret::Secret;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SerialNumber};

pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A pair for localhost with `serial`, issued `serial` seconds after some moment.
    pub(super) fn issue(&self, serial: u32) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from(u64::from(serial)));
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Pair {
            chain_pem: leaf.pem() + &self.pem,
            key_pem: Secret::new(key.serialize_pem()),
            generation: 1_800_000_000 + i64::from(serial),
        }
    }
}
